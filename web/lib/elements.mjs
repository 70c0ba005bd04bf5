// Elements of pages of ours, with text that is never read as markup.

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {string} className
 * @param {...(Node | string)} content
 * @returns {HTMLElementTagNameMap[K]}
 */
export function make(tag, className, ...content) {
  const element = document.createElement(tag)
  element.className = className
  element.append(...content)
  return element
}

/**
 * @param {string} label
 * @param {string} icon of PrimeIcons; "" shows the label
 * @param {() => void} onClick
 */
export function button(label, icon, onClick) {
  const element = make('button', icon ? `dt-button dt-symbol pi pi-${icon}` : 'dt-button')
  element.type = 'button'
  element.title = label
  element.setAttribute('aria-label', label)
  if (!icon) element.textContent = label
  element.addEventListener('click', onClick)
  return element
}

/**
 * Show a dialog until it is closed, and let nothing else be used meanwhile.
 * @param {HTMLDialogElement} dialog
 */
export function showDialog(dialog) {
  dialog.addEventListener('keydown', (event) => event.stopPropagation()) // the canvas has its own
  dialog.addEventListener('close', () => dialog.remove())
  document.body.append(dialog)
  dialog.showModal()
}
