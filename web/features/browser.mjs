// A dialog to choose a model, a LoRA or another file of the server: grouped, with a search.

/** @type {import('@comfyorg/comfyui-frontend-types').ComfyExtension} */
export const browser = { name: 'drawthingsnodes.browser' }
