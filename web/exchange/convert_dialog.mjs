// The offer to convert a workflow, and the list of what a conversion changed.
import { copyText } from '../lib/clipboard.mjs'
import { make, showDialog } from '../lib/elements.mjs'
import { said } from '../lib/sentences.mjs'
import { t } from '../lib/text.mjs'

const OF_NODE = 'change_of_node' // the key of what concerns one node

/** @typedef {import('../lib/sentences.mjs').Text} Text */

/**
 * @param {string} label
 * @param {() => void} onClick
 * @param {boolean} [main]
 * @returns {HTMLElement}
 */
function button(label, onClick, main = false) {
  const made = make('button', main ? 'dt-convert-button dt-main' : 'dt-convert-button', label)
  made.type = 'button'
  made.addEventListener('click', onClick)
  return made
}

/** Take the offer away, if there is one. */
export function closeOffer() {
  document.querySelector('.dt-convert-offer')?.remove()
}

/**
 * A bar above the canvas: what was found, a yes and a no. It waits for an answer.
 * @param {number} nodes
 * @param {() => void} accept
 * @param {() => void} decline
 */
export function showOffer(nodes, accept, decline) {
  closeOffer()
  const offer = make('div', 'dt-convert-offer')
  offer.setAttribute('role', 'alertdialog')
  const text = nodes === 1 ? t('convert.offer_one') : t('convert.offer', { nodes })
  const words = make('div', 'dt-convert-words')
  words.append(
    make('div', 'dt-convert-found', text),
    make('div', 'dt-convert-keeps', t('convert.keeps')),
  )
  const answered = (/** @type {() => void} */ answer) => () => {
    closeOffer()
    answer()
  }
  offer.append(
    make('i', 'pi pi-arrow-right-arrow-left'),
    words,
    button(t('convert.accept'), answered(accept), true),
    button(t('convert.decline'), answered(decline)),
  )
  document.body.append(offer)
}

/**
 * @param {Text} change of a node, or of the whole
 * @returns {[node: string, text: string]}
 */
function parts(change) {
  const { node, what } = change.values
  if (change.key !== OF_NODE) return ['', said(change)]
  return [`${node}: `, said(/** @type {Text} */ (what))]
}

/**
 * @param {Text} change
 * @returns {HTMLElement}
 */
function itemOf(change) {
  const [node, text] = parts(change)
  const item = make('li', '')
  item.append(make('span', 'dt-convert-node', node), text)
  return item
}

/**
 * @param {string} name of the converted workflow
 * @param {number} nodes
 * @param {Text[]} changes
 */
export function showChanges(name, nodes, changes) {
  document.querySelector('dialog.dt-convert')?.remove()
  const dialog = make('dialog', 'dt-dialog dt-convert')
  const list = make('ul', 'dt-convert-list')
  list.append(...changes.map(itemOf))
  const foot = make('div', 'dt-dialog-foot dt-convert-foot')
  const copy = button(t('convert.copy'), () => {
    const text = [name, ...changes.map((change) => parts(change).join(''))].join('\n')
    void copyText(text, dialog).then(() => {
      copy.textContent = t('convert.copied')
    })
  })
  foot.append(
    copy,
    button(t('convert.close'), () => dialog.close(), true),
  )
  dialog.append(
    make('h2', 'dt-dialog-title', t('convert.done', { name })),
    make('p', 'dt-convert-detail', t('convert.done_detail', { nodes })),
    list,
    foot,
  )
  showDialog(dialog)
}
