// The ways to the dialog that chooses a model, a LoRA or another file: command and menu.
import { app } from '../../../scripts/app.js'
import { openBrowser } from './browser_dialog.mjs'
import { listInputs } from '../lib/choices.mjs'
import { allNodes, widgetOf } from '../lib/graph.mjs'
import { t } from '../lib/text.mjs'

/** Open it for the selected node, else for the only one that loads a model. */
function browse() {
  const canvas = /** @type {any} */ (app.canvas)
  const selected = [...(canvas.selectedItems ?? [])].find((item) => listInputs(item).length)
  const loaders = allNodes('DTModelLoader')
  const node = selected ?? (loaders.length === 1 ? loaders[0] : undefined)
  if (node) return openBrowser(node)
  const detail = t('browser.select_first')
  app.extensionManager.toast.add({ severity: 'info', summary: 'Draw Things', detail, life: 5000 })
}

/** @type {import('@comfyorg/comfyui-frontend-types').ComfyExtension} */
export const browser = {
  name: 'drawthingsnodes.browser',
  commands: [
    {
      id: 'drawthingsnodes.browse',
      label: 'Draw Things: browse models and LoRAs',
      icon: 'pi pi-search',
      function: browse,
    },
  ],
  menuCommands: [{ path: ['Extensions', 'Draw Things'], commands: ['drawthingsnodes.browse'] }],
  getNodeMenuItems(node) {
    return listInputs(node)
      .filter((input) => !widgetOf(node, input)?.hidden)
      .map((input) => ({
        content: t('pickers.browse_input', { input: widgetOf(node, input)?.label ?? input }),
        callback: () => openBrowser(node, input),
      }))
  },
}
