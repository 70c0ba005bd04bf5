// Our part of the settings panel.

/** @type {import('@comfyorg/comfyui-frontend-types').ComfyExtension} */
export const preferences = { name: 'drawthingsnodes.preferences' }
