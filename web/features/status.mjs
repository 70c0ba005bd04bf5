// How the connection to a server is, on the node that names it.

/** @type {import('@comfyorg/comfyui-frontend-types').ComfyExtension} */
export const status = { name: 'drawthingsnodes.status' }
