// Asks the servers again what they have, and takes new lists over when the backend has them.
import { app } from '../../../scripts/app.js'
import { api } from '../../../scripts/api.js'
import { call } from '../lib/backend.mjs'
import { listInputs } from '../lib/choices.mjs'
import { forgetCatalogs } from '../lib/catalogs.mjs'
import { sentenceOf } from '../lib/sentences.mjs'
import { t } from '../lib/text.mjs'

/** Take new node definitions over, without a message where the front end can do that. */
export async function renewDefinitions() {
  const quiet = /** @type {any} */ (app).reloadNodeDefs
  await (quiet ? quiet.call(app) : app.refreshComboInNodes())
}

/** Ask every known server, and say how each answered. */
async function refreshServers() {
  const toast = app.extensionManager.toast
  try {
    /** @type {{ servers: { ok: boolean, sentence: string }[] }} */
    const { servers } = await call('/refresh')
    const severity = servers.every((server) => server.ok) ? 'success' : 'warn'
    const detail = servers.map((server) => sentenceOf(server, 'sentence')).join('\n')
    toast.add({ severity, summary: 'Draw Things', detail, life: 6000 })
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error)
    toast.add({ severity: 'error', summary: 'Draw Things', detail, life: 6000 })
  }
  forgetCatalogs()
  await renewDefinitions()
}

/** @type {import('@comfyorg/comfyui-frontend-types').ComfyExtension} */
export const refresh = {
  name: 'drawthingsnodes.refresh',
  commands: [
    {
      id: 'drawthingsnodes.refresh',
      label: 'Draw Things: refresh models',
      icon: 'pi pi-refresh',
      function: refreshServers,
    },
  ],
  menuCommands: [{ path: ['Extensions', 'Draw Things'], commands: ['drawthingsnodes.refresh'] }],
  getNodeMenuItems(node) {
    if (!listInputs(node).length) return []
    return [{ content: t('pickers.refresh'), callback: () => void refreshServers() }]
  },
  setup() {
    // Sent when a server told of models, LoRAs or controls that the lists do not have.
    api.addEventListener(/** @type {any} */ ('drawthingsnodes.lists'), () => {
      void renewDefinitions()
    })
  },
}
