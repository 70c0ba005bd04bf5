// Registers the extension. Every workflow also runs without it.
import { app } from '../../scripts/app.js'
import { api } from '../../scripts/api.js'
import { foldRows, watchRows } from './fold.mjs'
import { refreshServers } from './refresh.mjs'

/** @type {import('@comfyorg/comfyui-frontend-types').ComfyExtension} */
const extension = {
  name: 'drawthingsnodes.main',
  commands: [
    {
      id: 'drawthingsnodes.refresh',
      label: 'Draw Things: refresh models',
      icon: 'pi pi-refresh',
      function: async () => {
        const { severity, detail } = await refreshServers(api)
        app.extensionManager.toast.add({ severity, summary: 'Draw Things', detail, life: 6000 })
        await app.refreshComboInNodes()
      },
    },
  ],
  menuCommands: [{ path: ['Extensions', 'Draw Things'], commands: ['drawthingsnodes.refresh'] }],
  nodeCreated(node) {
    if (node.comfyClass !== 'DTLoRA') return
    watchRows(/** @type {any} */ (node), () => app.canvas?.setDirty(true, true))
  },
  loadedGraphNode(node) {
    if (node.comfyClass === 'DTLoRA') foldRows(/** @type {any} */ (node))
  },
  setup() {
    // The backend sends this when a server told of models, LoRAs or controls that the
    // lists do not have; chosen values stay.
    api.addEventListener(/** @type {any} */ ('drawthingsnodes.lists'), () => {
      void app.refreshComboInNodes()
    })
  },
}

app.registerExtension(extension)
