// Servers that announce themselves on the local network, each with a button to add it.
import { call } from '../lib/backend.mjs'
import { button, make } from '../lib/elements.mjs'
import { t } from '../lib/text.mjs'

const ROUND_S = 5
const ROUNDS = 13 // servers on Linux announce themselves once a minute, and answer no question

/** @typedef {{ name: string, address: string, tls: string }} Found */

/**
 * A button that listens to the network, and what it heard below.
 * @param {(found: Found) => void} add
 * @returns {HTMLElement}
 */
export function discovered(add) {
  const list = make('div', 'dt-found')
  const state = make('div', 'dt-quiet')
  state.setAttribute('role', 'status')
  /** @type {Map<string, Found>} */
  const known = new Map()
  let listening = false

  /** @param {string} label */
  const name = (label) => {
    search.textContent = search.title = label
    search.setAttribute('aria-label', label)
  }

  const show = () => {
    list.replaceChildren(
      ...[...known.values()].map((found) => {
        const names = make(
          'span',
          'dt-found-names',
          make('span', 'dt-server-name', found.name),
          make('span', 'dt-server-address', found.address),
        )
        return make('div', 'dt-line', names, button(t('sidebar.found_add'), '', () => add(found)))
      }),
    )
  }

  const listen = async () => {
    if (listening) {
      listening = false
      return
    }
    listening = true
    name(t('sidebar.found_stop'))
    try {
      for (let round = 0; listening && round < ROUNDS && (round === 0 || root.isConnected); round++) {
        state.textContent = t(round === 0 ? 'sidebar.found_asking' : 'sidebar.found_waiting')
        const heard = await call('/servers/discover', { seconds: round === 0 ? 2 : ROUND_S })
        for (const found of /** @type {Found[]} */ (heard.found)) known.set(found.address, found)
        show()
      }
      state.textContent = known.size ? '' : t('sidebar.found_none')
    } catch (error) {
      state.textContent = error instanceof Error ? error.message : String(error)
    }
    listening = false
    name(t('sidebar.found_search'))
  }

  const search = button(t('sidebar.found_search'), '', () => void listen())
  const root = make('div', 'dt-discovery', search, state, list)
  return root
}
