// Bytes and times as people read them, in the user's language.
import { language, t } from './text.mjs'

const UNITS = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte']
/** @type {[unit: Intl.RelativeTimeFormatUnit, seconds: number][]} */
const AGES = [['day', 86400], ['hour', 3600], ['minute', 60], ['second', 1]]

/**
 * @param {number} bytes
 * @returns {string} with three digits
 */
export function bytesText(bytes) {
  const power = Math.min(UNITS.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3))
  return new Intl.NumberFormat(language(), {
    style: 'unit',
    unit: UNITS[power],
    unitDisplay: power ? 'short' : 'long',
    maximumSignificantDigits: 3,
  }).format(bytes / 1000 ** power)
}

/**
 * @param {number} seconds
 * @returns {string}
 */
export function timeLeft(seconds) {
  if (seconds < 90) return t('progress.left_seconds', { seconds: Math.max(1, Math.round(seconds)) })
  return t('progress.left_minutes', { minutes: Math.round(seconds / 60) })
}

/**
 * @param {number} then Unix time, s
 * @returns {string} such as "3 minutes ago"
 */
export function ageText(then) {
  const seconds = Math.max(0, Date.now() / 1000 - then)
  const [unit, length] = AGES.find((age) => seconds >= age[1]) ?? ['second', 1]
  const words = new Intl.RelativeTimeFormat(language(), { numeric: 'auto' })
  return words.format(-Math.floor(seconds / length), unit)
}
