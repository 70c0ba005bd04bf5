// Registers our features, each an extension of its own. Every workflow also runs without them.
import { app } from '../../scripts/app.js'
import { addStyles } from './lib/style.mjs'
import { catalogWatch } from './lib/catalogs.mjs'
import { graphWatch } from './lib/graph.mjs'
import { withOneMenu } from './lib/menu.mjs'
import { loadTexts } from './lib/text.mjs'
import { language, translated } from './features/language.mjs'
import { look } from './features/look.mjs'
import { preferences } from './features/preferences.mjs'
import { seedRange } from './features/seed_range.mjs'
import { fold } from './features/fold.mjs'
import { refresh } from './features/refresh.mjs'
import { pickers } from './pickers/lists.mjs'
import { browser } from './pickers/browser.mjs'
import { matters } from './features/matters.mjs'
import { recommend } from './features/recommend.mjs'
import { status } from './features/status.mjs'
import { progress } from './features/progress.mjs'
import { notes } from './features/notes.mjs'
import { sidebar } from './sidebar/tab.mjs'
import { exchange } from './exchange/app_settings.mjs'
import { convert } from './exchange/convert.mjs'
import { examples } from './features/examples.mjs'

addStyles()
await loadTexts()
const features = [
  graphWatch,
  catalogWatch,
  language,
  look,
  preferences,
  seedRange,
  fold,
  refresh,
  pickers,
  browser,
  matters,
  recommend,
  status,
  progress,
  notes,
  sidebar,
  exchange,
  convert,
  examples,
]
for (const feature of withOneMenu(features)) app.registerExtension(translated(feature))
