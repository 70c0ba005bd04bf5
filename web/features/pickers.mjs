// Lists in the combos of models, LoRAs, ControlNets and other files: what the connected server has.

/** @type {import('@comfyorg/comfyui-frontend-types').ComfyExtension} */
export const pickers = { name: 'drawthingsnodes.pickers' }
