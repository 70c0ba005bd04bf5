// The dialog that lists what a server has: grouped by family, with a search, by mouse or keys.
import { catalogOf, onCatalog } from '../lib/catalogs.mjs'
import { choicesOf, chosenIn, listInputs, mayBeNone, NONE } from '../lib/choices.mjs'
import { make, showDialog } from '../lib/elements.mjs'
import { FileList, matches, rowWords } from '../lib/file_list.mjs'
import { serverRef, widgetOf } from '../lib/graph.mjs'
import { asOneStep, setValues } from '../lib/recipe.mjs'
import { t } from '../lib/text.mjs'

/** @typedef {import('../lib/choices.mjs').Choice} Choice */

/** @type {(() => void) | null} */
let listsChanged = null
onCatalog(() => listsChanged?.())

/**
 * @param {any} node
 * @returns {string} the input to begin with: the first shown one that holds nothing
 */
function firstInput(node) {
  const inputs = shownInputs(node)
  return inputs.find((input) => chosenIn(node, input) === NONE) ?? inputs[0]
}

/** @param {any} node */
function shownInputs(node) {
  return listInputs(node).filter((input) => !widgetOf(node, input)?.hidden)
}

/**
 * @param {Choice} choice
 * @param {import('../lib/catalogs.mjs').Entry | undefined} model
 */
function groupOf(choice, model) {
  if (choice.rank === 2) return t('browser.unfit', { model: model?.name ?? '' })
  return choice.rank === 1 ? t('browser.not_on_server') : choice.family
}

/**
 * Let the user choose for a node; the choice is written into its combo.
 * @param {any} node
 * @param {string} [input] the first free one by default
 */
export function openBrowser(node, input = firstInput(node)) {
  if (!input) return
  document.querySelector('dialog.dt-browser')?.remove()
  const close = make('button', 'dt-browser-close pi pi-times')
  close.setAttribute('aria-label', t('browser.close'))
  const title = t('browser.title', { node: node.title || node.type })
  const head = make('div', 'dt-browser-head', make('h2', 'dt-browser-title', title), close)
  const tabs = make('div', 'dt-browser-tabs')
  const search = make('input', 'dt-browser-search')
  search.placeholder = t('browser.search')
  const list = new FileList('dt-browser-list', search, { fill, take })
  const foot = make('div', 'dt-browser-foot')
  const dialog = make('dialog', 'dt-dialog dt-browser', head, tabs, search, list.scroller, foot)

  function renew() {
    const { choices, catalog, model } = choicesOf(node, input)
    const none = { value: NONE, name: t('browser.none'), family: '', reason: '' }
    const all = mayBeNone(node, input)
      ? [{ ...none, installed: true, rank: 0 }, ...choices]
      : choices
    const found = search.value.trim() ? all.filter((one) => matches(one, search.value)) : all
    const hint = !catalog?.known
      ? (catalog?.error ?? t('browser.unknown'))
      : catalog.browsable
        ? ''
        : t('browser.not_browsable')
    const count = t('browser.count', { shown: found.length, all: all.length })
    foot.textContent = found.length
      ? [count, hint].filter(Boolean).join(' · ')
      : hint || t(choices.length ? 'browser.nothing' : 'browser.empty')
    list.show(found, (choice) => groupOf(choice, model), chosenIn(node, input))
  }

  function drawTabs() {
    const inputs = shownInputs(node)
    tabs.replaceChildren(
      ...(inputs.length < 2 ? [] : inputs).map((name) => {
        const tab = make('button', 'dt-browser-tab', widgetOf(node, name)?.label ?? name)
        tab.setAttribute('aria-pressed', String(name === input))
        tab.addEventListener('click', () => {
          input = name
          drawTabs()
          renew()
          search.focus()
        })
        return tab
      }),
    )
  }

  /**
   * @param {HTMLElement} row
   * @param {Choice} choice
   */
  function fill(row, choice) {
    const file = choice.value === NONE ? t('browser.none_means') : choice.value
    const absent = choice.installed ? '' : t('browser.not_on_server_short')
    const why = [choice.reason, absent].filter(Boolean).join(' · ')
    const right = why || (choice.value === chosenIn(node, input) ? t('browser.chosen') : '')
    row.append(rowWords(choice.name, file), make('div', 'dt-browser-why', right))
    row.title = [choice.name, file, why].filter(Boolean).join('\n')
  }

  /** @param {Choice} choice */
  function take(choice) {
    asOneStep(() => setValues(node, { [input]: choice.value }))
    dialog.close()
  }

  dialog.addEventListener('keydown', (event) => list.onKey(event))
  dialog.addEventListener('pointerdown', (event) => {
    if (event.target === dialog) dialog.close()
  })
  dialog.addEventListener('close', () => {
    listsChanged = null
  })
  close.addEventListener('click', () => dialog.close())
  search.addEventListener('input', () => {
    list.scroller.scrollTop = 0
    renew()
  })

  showDialog(dialog)
  drawTabs()
  renew()
  search.focus()
  listsChanged = renew
  void catalogOf(serverRef(node), true)
}
