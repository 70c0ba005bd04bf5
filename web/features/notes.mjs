// Warnings of the last run, on the node that they concern.

/** @type {import('@comfyorg/comfyui-frontend-types').ComfyExtension} */
export const notes = { name: 'drawthingsnodes.notes' }
