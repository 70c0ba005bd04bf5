// Dims what has no effect for the chosen model and sampler, and says why.

/** @type {import('@comfyorg/comfyui-frontend-types').ComfyExtension} */
export const matters = { name: 'drawthingsnodes.matters' }
