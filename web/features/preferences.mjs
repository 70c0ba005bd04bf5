// Our part of the settings panel. Features read them with setting.get.
import { graphChanged } from '../lib/graph.mjs'
import { paintAll } from './look.mjs'

const SECTION = 'Draw Things'
const VERSION = '0.1.0' // a test holds it to that of pyproject.toml
const HOME = 'https://drawthings.ai'

/** @type {any[]} */
const settings = [
  {
    id: 'drawthingsnodes.without_effect',
    name: 'Inputs without effect',
    tooltip: 'What happens to inputs that the chosen model and sampler do not read.',
    category: [SECTION, 'Nodes', 'without_effect'],
    type: 'combo',
    options: [
      { text: 'dim', value: 'dim' },
      { text: 'fold away', value: 'fold' },
      { text: 'show', value: 'show' },
    ],
    defaultValue: 'dim',
    onChange: graphChanged,
  },
  {
    id: 'drawthingsnodes.node_colors',
    name: 'Colour the nodes',
    tooltip: 'Only nodes that have no colour of your own; nothing of it is saved.',
    category: [SECTION, 'Nodes', 'node_colors'],
    type: 'boolean',
    defaultValue: true,
    onChange: (/** @type {boolean} */ on) => paintAll(on),
  },
  {
    id: 'drawthingsnodes.status_line',
    name: 'Show the connection on nodes',
    tooltip: 'A line on the nodes that name a server: connected, or what is wrong.',
    category: [SECTION, 'Nodes', 'status_line'],
    type: 'boolean',
    defaultValue: true,
    onChange: graphChanged,
  },
  {
    id: 'drawthingsnodes.offer_recommended',
    name: 'Offer recommended settings',
    tooltip: 'Below DT Model Loader, where the sampler has other ones. Nothing changes by itself.',
    category: [SECTION, 'Nodes', 'offer_recommended'],
    type: 'boolean',
    defaultValue: true,
    onChange: graphChanged,
  },
  {
    id: 'drawthingsnodes.offer_conversion',
    name: 'Offer to convert workflows of the official extension',
    tooltip: 'When one is opened and that extension is not installed. The original stays open.',
    category: [SECTION, 'Workflows', 'offer_conversion'],
    type: 'boolean',
    defaultValue: true,
  },
]

/** @type {import('@comfyorg/comfyui-frontend-types').ComfyExtension} */
export const preferences = {
  name: 'drawthingsnodes.preferences',
  settings,
  aboutPageBadges: [{ label: `Draw Things Nodes v${VERSION}`, url: HOME, icon: 'dt-icon' }],
}
