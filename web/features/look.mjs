// Colours, sizes and icons of our nodes and sockets.

/** @type {import('@comfyorg/comfyui-frontend-types').ComfyExtension} */
export const look = { name: 'drawthingsnodes.look' }
