// Our nodes, commands and settings in the user's language where the front end forgets them: older
// ones (1.32) load their own texts of a language late, over those of extensions.
import { localeFiles } from '../lib/text.mjs'

/**
 * @param {any} definition of one of our nodes, as ComfyUI's backend tells it
 * @param {any} texts of that node
 */
function translateDefinition(definition, texts) {
  definition.display_name = texts.display_name ?? definition.display_name
  definition.description = texts.description ?? definition.description
  for (const inputs of [definition.input?.required, definition.input?.optional]) {
    for (const [name, spec] of Object.entries(inputs ?? {})) {
      const tooltip = texts.inputs?.[name]?.tooltip
      if (tooltip && /** @type {any} */ (spec)[1]) /** @type {any} */ (spec)[1].tooltip = tooltip
    }
  }
  const tooltips = definition.output_tooltips
  for (const number of tooltips?.keys?.() ?? []) {
    tooltips[number] = texts.outputs?.[number]?.tooltip ?? tooltips[number]
  }
}

/**
 * @param {any} node of ours, just created
 * @param {any} texts of that node
 */
function translateNames(node, texts) {
  for (const input of node.inputs ?? []) {
    const name = texts.inputs?.[input.name]?.name
    if (name && (input.localized_name ?? input.name) === input.name) input.localized_name = name
  }
  for (const widget of node.widgets ?? []) {
    const name = texts.inputs?.[widget.name]?.name
    if (name && (widget.label ?? widget.name) === widget.name) widget.label = name
  }
  for (const [number, output] of (node.outputs ?? []).entries()) {
    const name = texts.outputs?.[number]?.name
    if (name && (output.localized_name ?? output.name) === output.name) output.localized_name = name
  }
}

/**
 * The same feature with its commands and settings in the user's language.
 * @param {import('@comfyorg/comfyui-frontend-types').ComfyExtension} feature
 */
export function translated(feature) {
  const files = localeFiles()
  const key = (/** @type {string} */ id) => id.replaceAll('.', '_')
  for (const command of feature.commands ?? []) {
    command.label = files.commands?.[key(command.id)]?.label ?? command.label
  }
  for (const setting of /** @type {any[]} */ (feature.settings ?? [])) {
    const texts = files.settings?.[key(setting.id)] ?? {}
    setting.name = texts.name ?? setting.name
    setting.tooltip = texts.tooltip ?? setting.tooltip
    for (const option of setting.options ?? []) {
      option.text = texts.options?.[option.text] ?? option.text
    }
    const [section, group, name] = setting.category
    setting.category = [section, files.settingsCategories?.[group] ?? group, name]
  }
  return feature
}

/** @type {import('@comfyorg/comfyui-frontend-types').ComfyExtension} */
export const language = {
  name: 'drawthingsnodes.language',
  addCustomNodeDefs(definitions) {
    const nodes = localeFiles().nodeDefs ?? {}
    for (const [id, definition] of Object.entries(definitions)) {
      if (/^DT[A-Z]/.test(id) && nodes[id]) translateDefinition(definition, nodes[id])
    }
  },
  nodeCreated(created) {
    const node = /** @type {any} */ (created)
    const texts = localeFiles().nodeDefs?.[node.comfyClass]
    if (texts && /^DT[A-Z]/.test(node.comfyClass)) translateNames(node, texts)
  },
}
