// What the sidebar tells of uploads: how far each is, how it ended.
import { bytesText, timeLeft } from '../lib/amounts.mjs'
import { known } from '../lib/catalogs.mjs'
import { button, make } from '../lib/elements.mjs'
import { t } from '../lib/text.mjs'
import { cancel, dismiss, hasEnded, onUploads, speedOf, tryAgain, uploads } from './uploads.mjs'

/** @typedef {import('./uploads.mjs').Upload} Upload */

/** @type {import('../lib/catalogs.mjs').Kind[]} */
const KINDS = ['models', 'loras', 'controls', 'upscalers', 'face_restorers', 'embeddings']

/**
 * @param {Upload} one
 * @returns {boolean} false where its server told, and left it out
 */
function isListed({ file, server }) {
  const catalog = known(server)
  if (!catalog?.known || !catalog.browsable || !file.name.endsWith('.ckpt')) return true
  return KINDS.some((kind) => catalog[kind].some((entry) => entry.file === file.name))
}

/**
 * @param {Upload} one
 * @returns {string}
 */
function lineOf(one) {
  const server = one.serverName
  if (one.phase === 'done') {
    const done = t('sidebar.upload_done', { server, size: bytesText(one.total) })
    return isListed(one) ? done : `${done}. ${t('sidebar.upload_unlisted')}`
  }
  if (one.phase === 'failed') return one.sentence
  if (one.phase === 'cancelled') return one.sentence || t('sidebar.upload_cancelled')
  if (one.phase === 'asking' || one.phase === 'waiting') return t(`sidebar.upload_${one.phase}`)
  const doing = t(`sidebar.upload_${one.phase}`, { server })
  if (one.phase === 'hashing') return doing
  const [sent, total] = [bytesText(one.sent), bytesText(one.total)]
  const parts = [doing, t('sidebar.upload_of', { sent, total })]
  const speed = speedOf(one)
  if (speed) parts.push(`${bytesText(speed.rate)}/s`, timeLeft(speed.left))
  return parts.join(' · ')
}

/** The rows of all uploads; empty without one. */
export class UploadRows {
  constructor() {
    this.root = make('div', 'dt-uploads')
    this.root.setAttribute('aria-label', t('sidebar.uploads'))
    /** @type {Map<string, Row>} */
    this.rows = new Map()
    this.stop = onUploads(() => this.draw())
    this.draw()
  }

  draw() {
    const all = uploads()
    const kept = new Set(all.map((one) => one.id))
    for (const id of this.rows.keys()) if (!kept.has(id)) this.rows.delete(id)
    const roots = all.map((one) => {
      const row = this.rows.get(one.id) ?? new Row(one)
      this.rows.set(one.id, row)
      row.draw(one)
      return row.root
    })
    // Rows stay where they are, so that a button is not taken from below the mouse.
    const same = roots.length === this.root.children.length &&
      roots.every((root, place) => this.root.children[place] === root)
    if (!same) this.root.replaceChildren(...roots)
  }
}

class Row {
  /** @param {Upload} one */
  constructor(one) {
    this.bar = make('div', '')
    this.track = make('div', 'dt-track', this.bar)
    this.track.setAttribute('role', 'progressbar')
    this.track.setAttribute('aria-label', one.file.name)
    this.line = make('div', 'dt-upload-line')
    this.line.setAttribute('role', 'status')
    this.actions = make('div', 'dt-upload-actions')
    const name = make('div', 'dt-upload-name', one.file.name)
    name.title = one.file.name
    const head = make('div', 'dt-upload-head', name, this.actions)
    this.root = make('div', 'dt-upload', head, this.track, this.line)
    this.shown = ''
  }

  /** @param {Upload} one */
  draw(one) {
    const share = one.total ? Math.min(1, one.sent / one.total) : 0
    this.bar.style.width = `${Math.round(share * 1000) / 10}%`
    this.track.setAttribute('aria-valuenow', String(Math.round(share * 100)))
    const text = lineOf(one)
    if (this.line.textContent !== text) this.line.textContent = text
    this.track.hidden = hasEnded(one) || one.phase === 'asking' || one.phase === 'waiting'
    this.track.classList.toggle('dt-busy', one.phase === 'hashing')
    const again = one.phase === 'failed' && one.mayTryAgain
    const shown = `${hasEnded(one)} ${again}`
    this.root.dataset.phase = one.phase
    if (shown === this.shown) return
    this.shown = shown
    const last = hasEnded(one)
      ? button(t('sidebar.upload_dismiss'), 'times', () => dismiss(one))
      : button(t('sidebar.upload_cancel'), 'times', () => cancel(one))
    const retry = again
      ? [button(t('sidebar.upload_again'), 'refresh', () => void tryAgain(one))]
      : []
    this.actions.replaceChildren(...retry, last)
  }
}
