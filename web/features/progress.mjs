// What the server is doing while it generates, on the sampler.

/** @type {import('@comfyorg/comfyui-frontend-types').ComfyExtension} */
export const progress = { name: 'drawthingsnodes.progress' }
