// Brings our style sheets into the page.

const SHEETS = ['nodes', 'dialog', 'browser', 'sidebar', 'check', 'convert']

/** Link the style sheets, once. */
export function addStyles() {
  for (const name of SHEETS) {
    const link = document.createElement('link')
    link.rel = 'stylesheet'
    link.href = new URL(`../style/${name}.css`, import.meta.url).href
    document.head.append(link)
  }
}
