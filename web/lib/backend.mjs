// Calls the pack's own routes. The header tells them that it is our page that asks.
import { api } from '../../../scripts/api.js'
import { sentenceOf } from './sentences.mjs'
import { t } from './text.mjs'

const PREFIX = '/drawthingsnodes'
const HEADERS = { 'X-Draw-Things-Nodes': '1' }

/** A route said no: its sentence, its code and the HTTP status (0: ComfyUI is away). */
export class BackendError extends Error {
  /**
   * @param {string} sentence
   * @param {string} code
   * @param {number} status
   */
  constructor(sentence, code, status) {
    super(sentence)
    this.name = 'BackendError'
    this.code = code
    this.status = status
  }
}

/**
 * @param {Response} response
 * @returns {Promise<any>}
 */
async function answerOf(response) {
  const answer = await response.json().catch(() => null)
  if (response.ok && answer !== null) return answer
  const sentence = sentenceOf(answer, 'error') || `HTTP ${response.status}`
  throw new BackendError(sentence, answer?.code ?? 'HTTP', response.status)
}

/**
 * @param {string} route
 * @param {RequestInit} request
 */
async function post(route, request) {
  try {
    return await api.fetchApi(PREFIX + route, { method: 'POST', ...request })
  } catch (error) {
    throw new BackendError(`${t('status.away')}: ${error}`, 'Away', 0)
  }
}

/**
 * @param {string} route such as '/catalog'
 * @param {Record<string, unknown>} [body]
 * @param {AbortSignal} [signal]
 * @returns {Promise<any>} the answer; throws BackendError
 */
export async function call(route, body = {}, signal) {
  const headers = { ...HEADERS, 'Content-Type': 'application/json' }
  return answerOf(await post(route, { headers, body: JSON.stringify(body), signal }))
}

/**
 * @param {string} route
 * @param {Blob} blob sent as it is
 * @returns {Promise<any>} the answer; throws BackendError
 */
export async function send(route, blob) {
  const headers = { ...HEADERS, 'Content-Type': 'application/octet-stream' }
  return answerOf(await post(route, { headers, body: blob }))
}

/**
 * @param {string} route
 * @param {Record<string, string>} query
 * @param {Blob} blob sent as it is, read from the disk piece by piece
 * @param {AbortSignal} signal
 * @returns {Promise<any>} the answer; throws BackendError
 */
export async function stream(route, query, blob, signal) {
  const headers = { ...HEADERS, 'Content-Type': 'application/octet-stream' }
  const path = `${route}?${new URLSearchParams(query)}`
  return answerOf(await post(path, { headers, body: blob, signal }))
}
