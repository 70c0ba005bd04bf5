// Asks the backend to ask the servers again what they have.

/**
 * @param {{ fetchApi(route: string, options?: RequestInit): Promise<Response> }} api
 * @returns {Promise<{ severity: 'success' | 'warn' | 'error', detail: string }>}
 */
export async function refreshServers(api) {
  try {
    const response = await api.fetchApi('/drawthingsnodes/refresh', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'X-Draw-Things-Nodes': '1' },
      body: '{}',
    })
    /** @type {{ servers?: { ok: boolean, sentence: string }[], error?: string }} */
    const answer = await response.json()
    if (!response.ok || !answer.servers) {
      return { severity: 'error', detail: answer.error ?? `HTTP ${response.status}` }
    }
    return {
      severity: answer.servers.every((server) => server.ok) ? 'success' : 'warn',
      detail: answer.servers.map((server) => server.sentence).join('\n'),
    }
  } catch (error) {
    return { severity: 'error', detail: `ComfyUI does not answer: ${error}` }
  }
}
