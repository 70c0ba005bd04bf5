// The check of a server: asks first, shows each row as it comes, and offers the report.
import { api } from '../../../scripts/api.js'
import { call } from '../lib/backend.mjs'
import { button, make, showDialog } from '../lib/elements.mjs'
import { said, sentenceOf } from '../lib/sentences.mjs'
import { t } from '../lib/text.mjs'

const EVENT = 'drawthingsnodes.check'
const REPORT = 'drawthings-doctor.json'

/**
 * @typedef {import('../lib/sentences.mjs').Text} Text
 * @typedef {'passed' | 'differs' | 'not applicable'} Outcome
 * @typedef {{ check: string, outcome: Outcome, title_text: Text, sentence_text: Text }} Row
 * @typedef {{ rows: Row[], counts: Record<Outcome, number>, report: unknown }} Answer
 * @typedef {{ id: string, of: number, row: Row }} Event
 */

/** @type {Record<Outcome, { icon: string, word: string }>} */
const LOOKS = {
  passed: { icon: 'check', word: 'passed' },
  differs: { icon: 'exclamation-triangle', word: 'differs' },
  'not applicable': { icon: 'minus', word: 'left' },
}

/**
 * Open the dialog; closing it ends the check.
 * @param {NonNullable<import('../lib/graph.mjs').ServerRef>} server
 * @param {string} name for people
 */
export function checkServer(server, name) {
  const dialog = make('dialog', 'dt-dialog dt-check')
  dialog.tabIndex = -1
  const state = make('p', 'dt-check-state', t('check.asking'))
  state.setAttribute('role', 'status')
  const rows = make('ul', 'dt-check-rows')
  const foot = make('div', 'dt-dialog-foot dt-check-foot')
  const leaving = new AbortController()
  const { signal } = leaving

  /** @param {unknown} error */
  const fail = (error) => {
    if (signal.aborted) return
    state.textContent = error instanceof Error ? error.message : String(error)
    state.classList.add('dt-problem')
    offer(closing('check.close'))
  }
  /** @param {...HTMLElement} buttons */
  const offer = (...buttons) => {
    foot.replaceChildren(...buttons)
    if (!dialog.contains(document.activeElement)) dialog.focus() // not lost with a button
  }
  const closing = (/** @type {string} */ label) => button(t(label), '', () => dialog.close())

  /** @param {boolean} generate */
  const check = async (generate) => {
    const id = [...crypto.getRandomValues(new Uint32Array(3))].join('-')
    field.remove()
    offer(closing('check.stop'))
    state.textContent = t('check.asking')
    const hear = (/** @type {CustomEvent<Event>} */ { detail }) => {
      if (detail.id !== id) return
      rows.append(rowOf(detail.row))
      rows.scrollTop = rows.scrollHeight
      state.textContent = t('check.running', { done: rows.childElementCount, total: detail.of })
    }
    api.addEventListener(/** @type {any} */ (EVENT), hear)
    try {
      const answer = await call('/check', { server, model: model.value, generate, id }, signal)
      show(answer)
    } catch (error) {
      fail(error)
    } finally {
      api.removeEventListener(/** @type {any} */ (EVENT), hear)
    }
  }

  /** @param {Answer} answer */
  const show = ({ rows: all, counts, report }) => {
    rows.replaceChildren(...all.map(rowOf))
    rows.querySelector('[data-outcome=differs]')?.scrollIntoView({ block: 'nearest' })
    const { passed, differs, 'not applicable': left } = counts
    state.textContent = t('check.summary', { passed, differs, left })
    const save = button(t('check.save'), '', () => saveAs(report))
    offer(make('span', 'dt-check-note', t('check.private')), save, closing('check.close'))
  }

  const ask = async () => {
    const wanted = model.value
    state.textContent = t('check.asking')
    state.classList.remove('dt-problem')
    offer(closing('check.cancel'))
    try {
      const answer = await call('/check/question', { server, model: wanted }, signal)
      if (signal.aborted || model.value !== wanted) return
      state.textContent = sentenceOf(answer, 'question')
      const start = button(t('check.start'), '', () => void check(true))
      start.classList.add('dt-main')
      const without = button(t('check.without'), '', () => void check(false))
      offer(closing('check.cancel'), without, ...(answer.generates ? [start] : []))
    } catch (error) {
      if (model.value === wanted) fail(error)
    }
  }
  const { field, model } = modelField(server, () => void ask())

  offer(closing('check.cancel'))
  dialog.append(
    make('h2', 'dt-dialog-title', t('check.open')),
    make('p', 'dt-check-means', `${name} · ${t('check.means')}`),
    field,
    state,
    rows,
    foot,
  )
  dialog.addEventListener('close', () => leaving.abort())
  showDialog(dialog)
  void ask()
}

/**
 * A field for another model than the smallest, with those of the server to choose from.
 * @param {NonNullable<import('../lib/graph.mjs').ServerRef>} server
 * @param {() => void} onChange
 */
function modelField(server, onChange) {
  const model = make('input', '')
  model.placeholder = t('check.smallest')
  const known = make('datalist', '')
  known.id = 'dt-check-models'
  model.setAttribute('list', known.id)
  model.addEventListener('change', onChange)
  const list = async () => {
    const { models = [] } = await call('/catalog', { server })
    for (const { file, name } of models) known.append(new Option(name, file))
  }
  list().catch(() => undefined) // then it is typed
  return { model, field: make('label', 'dt-field dt-check-field', t('check.model'), model, known) }
}

/**
 * @param {Row} row
 * @returns {HTMLElement}
 */
function rowOf(row) {
  const { icon, word } = LOOKS[row.outcome]
  const sign = make('i', `pi pi-${icon}`)
  sign.title = t(`check.${word}`)
  sign.setAttribute('role', 'img')
  sign.setAttribute('aria-label', sign.title)
  const item = make(
    'li',
    'dt-check-row',
    sign,
    make('span', 'dt-check-name', said(row.title_text)),
    make('span', 'dt-check-said', said(row.sentence_text)),
  )
  item.dataset.outcome = row.outcome
  return item
}

/** @param {unknown} report */
function saveAs(report) {
  const text = `${JSON.stringify(report, null, 2)}\n`
  const link = make('a', '')
  link.href = URL.createObjectURL(new Blob([text], { type: 'application/json' }))
  link.download = REPORT
  link.click()
  URL.revokeObjectURL(link.href)
}
