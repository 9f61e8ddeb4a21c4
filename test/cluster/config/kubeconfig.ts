/** What a client of the API server needs; certificates and key in PEM. */
export interface KubeconfigParts {
  readonly server: string
  readonly authority: Buffer
  readonly certificate: Buffer
  readonly key: Buffer
}

/** A kubeconfig that needs no other file. Format: Kubernetes, client.config `v1`. */
export function kubeconfig({ server, authority, certificate, key }: KubeconfigParts): string {
  const name = 'countersign'
  const user = {
    'client-certificate-data': certificate.toString('base64'),
    'client-key-data': key.toString('base64')
  }
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name, cluster: { server, 'certificate-authority-data': authority.toString('base64') } }],
    users: [{ name, user }],
    contexts: [{ name, context: { cluster: name, user: name } }],
    'current-context': name
  })
}
