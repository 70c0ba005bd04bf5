// Brings style.css into the page.

/** Link the style sheet, once. */
export function addStyle() {
  const link = document.createElement('link')
  link.rel = 'stylesheet'
  link.href = new URL('../style.css', import.meta.url).href
  document.head.append(link)
}
