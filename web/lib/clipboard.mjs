// Puts text on the clipboard, also where a page has none of its own.

/**
 * @param {string} text
 * @param {Element} [place] for the text while it is copied: inside an open modal dialog, beside
 *   which nothing can be selected
 * @returns {Promise<boolean>} whether it is there
 */
export async function copyText(text, place = document.body) {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    // Pages that are not served safely have no clipboard of their own.
    const area = document.createElement('textarea')
    area.className = 'dt-offscreen'
    area.value = text
    place.append(area)
    area.select()
    const done = document.execCommand('copy')
    area.remove()
    return done
  }
}
