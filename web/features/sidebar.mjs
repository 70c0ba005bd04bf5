// The sidebar tab: servers, what they have, uploads.

/** @type {import('@comfyorg/comfyui-frontend-types').ComfyExtension} */
export const sidebar = { name: 'drawthingsnodes.sidebar' }
