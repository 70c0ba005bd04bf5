// Offers the recommended settings of a model; never takes them over on its own.

/** @type {import('@comfyorg/comfyui-frontend-types').ComfyExtension} */
export const recommend = { name: 'drawthingsnodes.recommend' }
