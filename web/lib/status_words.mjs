// A server's state in words, and what may be done about it, the same on nodes and in the sidebar.
import { call } from './backend.mjs'
import { sentenceOf } from './sentences.mjs'
import { t } from './text.mjs'

/**
 * @typedef {{
 *   code: string, sentence: string, name: string, address: string, latency_ms?: number,
 *   tls?: string, models?: number, loras?: number, controls?: number, presented?: string
 * }} Status
 */

/** @type {Status} */
export const ASKING = { code: 'asking', sentence: '', name: '', address: '' }

const GOOD = ['connected']
const FAIR = ['browsing_off', 'busy', 'asking']

/**
 * @param {import('./graph.mjs').ServerRef} ref
 * @returns {Promise<Status>} never rejects
 */
export async function askStatus(ref) {
  try {
    const answer = await call('/status', { server: ref })
    return { ...answer, sentence: sentenceOf(answer, 'sentence') }
  } catch (error) {
    const { message, status } = /** @type {import('./backend.mjs').BackendError} */ (error)
    return { ...ASKING, code: status === 0 ? 'away' : 'failed', sentence: message }
  }
}

/**
 * @param {Status} status
 * @returns {'good' | 'fair' | 'bad'}
 */
export function gradeOf(status) {
  if (GOOD.includes(status.code)) return 'good'
  return FAIR.includes(status.code) ? 'fair' : 'bad'
}

/**
 * @param {Status} status
 * @returns {string} one short line
 */
export function lineOf(status) {
  const parts = [t(`status.${status.code}`)]
  if (status.name || status.address) parts.push(status.name || status.address)
  if (status.latency_ms !== undefined) parts.push(`${Math.round(status.latency_ms)} ms`)
  if (status.tls) parts.push(t(`status.tls_${status.tls}`))
  return parts.join(' · ')
}

/**
 * @param {Status} status
 * @returns {string} what to do; "" where nothing is wrong
 */
export function fixOf(status) {
  return gradeOf(status) === 'good' ? '' : t(`status.fix_${status.code}`)
}

/**
 * @param {Status} status
 * @returns {string} for a tooltip: what it means in full
 */
export function detailsOf(status) {
  const lines = [status.sentence]
  // A server that does not list its models may have some.
  if (status.code === 'connected') {
    lines.push(
      t('status.has', {
        models: status.models ?? 0,
        loras: status.loras ?? 0,
        controls: status.controls ?? 0,
      }),
    )
  }
  if (status.tls) lines.push(t(`status.tls_${status.tls}_means`))
  return lines.filter(Boolean).join('\n')
}

/**
 * Trust the certificate that a server presents now instead of the one that it showed first.
 * @param {import('./graph.mjs').ServerRef} ref
 * @param {string} fingerprint `presented` of its status
 * @returns {Promise<void>} rejects with a BackendError
 */
export async function acceptCertificate(ref, fingerprint) {
  await call('/servers/accept', { server: ref, fingerprint })
}
