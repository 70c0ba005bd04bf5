// Offers to convert workflows of the official extension.

/** @type {import('@comfyorg/comfyui-frontend-types').ComfyExtension} */
export const convert = { name: 'drawthingsnodes.convert' }
