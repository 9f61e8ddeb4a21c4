import type { RequestOptions } from 'node:https'
import { CountersignError } from '../errors/index.ts'

/** How to prove who one is to the API server, and how to know it. Read anew for every request: both are rotated. */
export interface Credentials {
  readonly tls: Pick<RequestOptions, 'ca' | 'cert' | 'key' | 'servername' | 'rejectUnauthorized'>
  readonly headers: Readonly<Record<string, string>>
}

export interface Access {
  readonly server: URL
  credentials(): Promise<Credentials>
}

/**
 * Access as a kubeconfig file gives it, or, without one, as the service account of the pod does.
 *
 * @throws CountersignError ERR_OPTION_INVALID when the file cannot be used, or there is no file and this is no pod
 */
export async function openAccess(kubeconfig: string | undefined): Promise<Access> {
  // Only here, and only when asked for: the library takes most of a second and 80 MB to load.
  const { KubeConfig } = await import('@kubernetes/client-node')
  const config = new KubeConfig()
  try {
    if (kubeconfig === undefined) config.loadFromCluster()
    else config.loadFromFile(kubeconfig)
    const server = new URL(config.getCurrentCluster()?.server ?? '')
    return { server, credentials: async () => await credentialsOf(options => config.applyToHTTPSOptions(options)) }
  } catch (thrown) {
    const why =
      kubeconfig === undefined
        ? 'this is not a pod: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set; give --kubeconfig'
        : `--kubeconfig ${kubeconfig} cannot be used`
    throw CountersignError.from(thrown, 'ERR_OPTION_INVALID', why)
  }
}

async function credentialsOf(apply: (options: RequestOptions) => Promise<void>): Promise<Credentials> {
  const options: RequestOptions = { headers: {} }
  await apply(options)
  const { ca, cert, key, servername, rejectUnauthorized, headers, auth } = options
  const basic = typeof auth === 'string' ? { Authorization: `Basic ${Buffer.from(auth).toString('base64')}` } : {}
  return {
    tls: {
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
      ...(servername === undefined ? {} : { servername }),
      ...(rejectUnauthorized === undefined ? {} : { rejectUnauthorized })
    },
    headers: { ...(headers as Record<string, string>), ...basic }
  }
}
