// An example workflow opens with the pictures that it starts from: the backend puts them into
// ComfyUI's input folder, where none of that name is.
import { call } from '../lib/backend.mjs'
import { litegraph } from '../lib/faces.mjs'
import { renewDefinitions } from './refresh.mjs'

const LOADERS = ['LoadImage', 'LoadImageMask']

/**
 * @param {string} type of a node that loads a picture
 * @returns {string[]} the files that it offers
 */
function offered(type) {
  const definition = litegraph().registered_node_types[type]?.nodeData
  const [list, more] = definition?.input?.required?.image ?? []
  return Array.isArray(list) ? list : (more?.options ?? [])
}

/**
 * @param {any} graph a saved workflow
 * @returns {string[]} pictures that it loads and that are not there
 */
function missingPictures(graph) {
  /** @type {any[]} */
  const nodes = graph.nodes ?? []
  if (!nodes.some((node) => /^DT[A-Z]/.test(node?.type))) return []
  return nodes
    .filter((node) => LOADERS.includes(node?.type))
    .map((node) => ({ type: node.type, file: node.widgets_values?.[0] }))
    .filter(({ type, file }) => typeof file === 'string' && !offered(type).includes(file))
    .map(({ file }) => file)
}

/** @type {import('@comfyorg/comfyui-frontend-types').ComfyExtension} */
export const examples = {
  name: 'drawthingsnodes.examples',
  async beforeConfigureGraph(graph) {
    const names = missingPictures(graph)
    if (!names.length) return
    try {
      const { copied } = await call('/examples/pictures', { names })
      if (copied.length) await renewDefinitions()
    } catch {
      // Their nodes say what they miss.
    }
  },
}
