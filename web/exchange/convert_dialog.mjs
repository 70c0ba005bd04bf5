// The offer to convert a workflow, and the list of what a conversion changed.
import { copyText } from '../lib/clipboard.mjs'
import { said } from '../lib/sentences.mjs'
import { t } from '../lib/text.mjs'

const OF_NODE = 'change_of_node' // the key of what concerns one node

/** @typedef {import('../lib/sentences.mjs').Text} Text */

/**
 * @param {string} tag
 * @param {string} className
 * @param {string} [text]
 * @returns {HTMLElement}
 */
function element(tag, className, text = '') {
  const made = document.createElement(tag)
  made.className = className
  made.textContent = text
  return made
}

/**
 * @param {string} label
 * @param {() => void} onClick
 * @param {boolean} [main]
 * @returns {HTMLElement}
 */
function button(label, onClick, main = false) {
  const made = element('button', main ? 'dt-convert-button dt-main' : 'dt-convert-button', label)
  made.setAttribute('type', 'button')
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
  const offer = element('div', 'dt-convert-offer')
  offer.setAttribute('role', 'alertdialog')
  const text = nodes === 1 ? t('convert.offer_one') : t('convert.offer', { nodes })
  const words = element('div', 'dt-convert-words')
  words.append(
    element('div', 'dt-convert-found', text),
    element('div', 'dt-convert-keeps', t('convert.keeps')),
  )
  const answered = (/** @type {() => void} */ answer) => () => {
    closeOffer()
    answer()
  }
  offer.append(
    element('i', 'pi pi-arrow-right-arrow-left'),
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
  const item = element('li', '')
  item.append(element('span', 'dt-convert-node', node), text)
  return item
}

/**
 * @param {string} name of the converted workflow
 * @param {number} nodes
 * @param {Text[]} changes
 */
export function showChanges(name, nodes, changes) {
  document.querySelector('dialog.dt-convert')?.remove()
  const dialog = /** @type {HTMLDialogElement} */ (element('dialog', 'dt-convert'))
  const list = element('ul', 'dt-convert-list')
  list.append(...changes.map(itemOf))
  const foot = element('div', 'dt-convert-foot')
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
    element('h2', 'dt-convert-title', t('convert.done', { name })),
    element('p', 'dt-convert-detail', t('convert.done_detail', { nodes })),
    list,
    foot,
  )
  dialog.addEventListener('keydown', (event) => event.stopPropagation())
  dialog.addEventListener('close', () => dialog.remove())
  document.body.append(dialog)
  dialog.showModal()
}
