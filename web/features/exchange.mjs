// Settings and pictures of the Draw Things app in and out of the graph.

/** @type {import('@comfyorg/comfyui-frontend-types').ComfyExtension} */
export const exchange = { name: 'drawthingsnodes.exchange' }
