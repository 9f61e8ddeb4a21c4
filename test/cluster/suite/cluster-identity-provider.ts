import type { Cluster } from '../index.ts'
import { IDENTITY_PROVIDER_IMAGE } from './identity-provider-image.ts'
import { CONTAINER_SECURITY, POD_SECURITY } from './pods.ts'

const NAME = 'identity-provider'
const NAMESPACE = 'identity'
const DEPLOYMENT = ['-n', NAMESPACE, `deployment/${NAME}`] as const

/** The identity provider of the examples in a namespace outside the mesh. Its keys are as old as its pod. */
export class ClusterIdentityProvider {
  readonly issuer = `http://${NAME}.${NAMESPACE}.svc.cluster.local`
  readonly #cluster: Cluster

  constructor(cluster: Cluster) {
    this.#cluster = cluster
  }

  async start(): Promise<void> {
    const metadata = { name: NAME, namespace: NAMESPACE }
    const selector = { app: NAME }
    const env = { HOST: '0.0.0.0', PORT: '8080', ISSUER: this.issuer }
    const container = {
      name: NAME,
      image: IDENTITY_PROVIDER_IMAGE,
      env: Object.entries(env).map(([name, value]) => ({ name, value })),
      readinessProbe: { httpGet: { path: '/jwks', port: 8080 }, periodSeconds: 1 },
      securityContext: CONTAINER_SECURITY
    }
    const spec = {
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: 2,
      securityContext: POD_SECURITY,
      containers: [container]
    }
    await this.#cluster.apply(
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } },
      { apiVersion: 'v1', kind: 'Service', metadata, spec: { selector, ports: [{ port: 80, targetPort: 8080 }] } },
      {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata,
        spec: { selector: { matchLabels: selector }, template: { metadata: { labels: selector }, spec } }
      }
    )
    await this.#cluster.kubectl(['rollout', 'status', ...DEPLOYMENT, '--timeout=60s'])
  }

  /** An access token for a user. */
  async token(username: string, audience: string): Promise<string> {
    const grant = { grant_type: 'urn:countersign:demonstration:user', username, resource: audience }
    const answer = await this.#ask('/token', grant)
    return (JSON.parse(answer) as { access_token: string }).access_token
  }

  /** Signs with new keys from now on, and serves the former ones as well. */
  async rotate(): Promise<void> {
    await this.#ask('/keys/rotate', {})
  }

  /** Ends its pod, and with it its keys. */
  async leave(): Promise<void> {
    await this.#cluster.kubectl(['scale', ...DEPLOYMENT, '--replicas=0'])
    await this.#cluster.kubectl(['wait', '-n', NAMESPACE, 'pod', '-l', `app=${NAME}`, '--for=delete', '--timeout=60s'])
  }

  /** Starts another pod, with other keys. */
  async comeBack(): Promise<void> {
    await this.#cluster.kubectl(['scale', ...DEPLOYMENT, '--replicas=1'])
    await this.#cluster.kubectl(['rollout', 'status', ...DEPLOYMENT, '--timeout=60s'])
  }

  /** By a program in its own pod, so that no network is asked about. */
  async #ask(path: string, form: Readonly<Record<string, string>>): Promise<string> {
    const script = `fetch('http://127.0.0.1:8080${path}', {
      method: 'POST',
      headers: { authorization: 'Basic ' + btoa('job:demonstration') },
      body: new URLSearchParams(${JSON.stringify(form)})
    }).then(async answer => {
      console.log(await answer.text())
      process.exitCode = answer.ok ? 0 : 1
    })`
    return this.#cluster.kubectl(['exec', ...DEPLOYMENT, '--', 'node', '-e', script])
  }
}
