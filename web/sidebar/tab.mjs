// The sidebar tab: servers, what each has, and files on their way to them.
import { app } from '../../../scripts/app.js'
import { onCatalog } from '../lib/catalogs.mjs'
import { listenToDrops } from './dragging.mjs'
import { make } from '../lib/elements.mjs'
import { Contents } from './contents.mjs'
import { nameOf, ServerCards } from './server_list.mjs'
import { UploadRows } from './upload_list.mjs'
import { t } from '../lib/text.mjs'
import { listenToUploads } from './uploads.mjs'
import { renewDefinitions } from '../features/refresh.mjs'

/** @type {Tab | null} */
let open = null
/** @type {string | undefined} */
let lastServer

/** The open tab. */
class Tab {
  /** @param {HTMLElement} root */
  constructor(root) {
    this.uploads = new UploadRows()
    this.contents = new Contents((server) => this.cards.test(server))
    this.cards = new ServerCards(
      {
        onChosen: (server, status) => {
          lastServer = server?.name
          this.contents.show(server, status)
        },
        onStatus: (server, status) => void this.contents.hear(server, status),
        onChanged: renewDefinitions,
      },
      lastServer,
    )
    const head = make('h2', 'dt-head', t('sidebar.title'))
    const intro = make('p', 'dt-hint', t('sidebar.intro'))
    this.veil = make('div', 'dt-veil')
    const scroller = make('div', 'dt-sidebar-scroller', head, intro, this.cards.root)
    scroller.append(this.contents.root)
    this.root = make('div', 'dt-sidebar', scroller, this.uploads.root, this.veil)
    this.root.addEventListener('dragover', (event) => this.onDragOver(event))
    this.root.addEventListener('dragleave', (event) => {
      if (!this.root.contains(/** @type {Node | null} */ (event.relatedTarget))) this.lift()
    })
    this.root.addEventListener('drop', (event) => this.onDrop(event))
    root.classList.add('dt-sidebar-root')
    root.replaceChildren(this.root)
  }

  /** @param {DragEvent} event */
  onDragOver(event) {
    const { server } = this.contents
    if (!server || !event.dataTransfer?.types.includes('Files')) return
    event.preventDefault()
    event.dataTransfer.dropEffect = 'copy'
    this.veil.textContent = t('sidebar.drop_files', { server: nameOf(server) })
    this.root.classList.add('dt-receiving')
  }

  /** @param {DragEvent} event */
  onDrop(event) {
    this.lift()
    const files = [...(event.dataTransfer?.files ?? [])]
    if (!files.length || !this.contents.server) return
    event.preventDefault()
    event.stopPropagation() // ComfyUI would take them for workflows
    this.contents.take(files)
  }

  lift() {
    this.root.classList.remove('dt-receiving')
  }

  close() {
    this.uploads.stop()
    this.contents.close()
  }
}

function closeTab() {
  open?.close()
  open = null
}

/** @type {import('@comfyorg/comfyui-frontend-types').ComfyExtension} */
export const sidebar = {
  name: 'drawthingsnodes.sidebar',
  setup() {
    listenToDrops()
    listenToUploads()
    onCatalog(() => open?.contents.renew())
    app.extensionManager.registerSidebarTab({
      id: 'drawthingsnodes',
      icon: 'pi pi-palette',
      title: t('sidebar.title'),
      tooltip: t('sidebar.tooltip'),
      type: 'custom',
      render: (/** @type {HTMLElement} */ root) => {
        closeTab()
        open = new Tab(root)
      },
      destroy: closeTab,
    })
  },
}
