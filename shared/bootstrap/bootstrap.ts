import { CountersignError } from '../errors/index.ts'

export interface BootstrapOptions {
  /** The pod's UID. */
  readonly nodeId: string
  /** For people who read a configuration dump: `<namespace>/<pod>`. Decides nothing. */
  readonly nodeCluster: string
  /** Path of the agent's Unix socket as Envoy sees it; at most 107 bytes. */
  readonly socketPath: string
  /**
   * Where the admin interface listens; at most 107 bytes. Default `@countersign-admin`: an abstract Unix socket, which
   * exists once in each network namespace. Proxies that share one each need a path of their own.
   */
  readonly adminSocket?: string
}

/** The clusters that the bootstrap file holds: the agent, and the proxy's own admin interface. */
export const BOOTSTRAP_CLUSTERS = { agent: 'agent', admin: 'admin' } as const

// sockaddr_un has 108 bytes for a path and its end (unix(7)); Envoy refuses to start with a longer one.
const LONGEST_SOCKET_PATH = 107

// Without an end to waiting: by default Envoy goes on after 15 s, and would be ready without a listener.
const FROM_AGENT = { ads: {}, resourceApiVersion: 'V3', initialFetchTimeout: '0s' }

/**
 * The bootstrap file: the agent's socket, and that everything else is asked for there. Written as JSON and not as
 * messages: the program that writes it needs no Envoy message besides, and they are many.
 *
 * @throws CountersignError ERR_ADDRESS_UNUSABLE when a path is too long for a Unix socket
 */
export function createBootstrap(options: BootstrapOptions): object {
  const { nodeId, nodeCluster, socketPath, adminSocket = '@countersign-admin' } = options
  return {
    node: { id: nodeId, cluster: nodeCluster },
    // Never on a TCP port: whoever reaches it can stop the proxy.
    admin: { address: { pipe: { path: checkedPath('admin socket', adminSocket) } } },
    dynamicResources: {
      adsConfig: {
        apiType: 'DELTA_GRPC',
        transportApiVersion: 'V3',
        setNodeOnFirstMessageOnly: true,
        grpcServices: [
          {
            envoyGrpc: {
              clusterName: BOOTSTRAP_CLUSTERS.agent,
              // By default up to 30 s would pass before a restarted agent is found again, and a pod that waits for it
              // is to start within three: one for this, one for the startup probe, the rest for the kubelet.
              retryPolicy: { retryBackOff: { baseInterval: '0.200s', maxInterval: '1s' } }
            }
          }
        ]
      },
      cdsConfig: FROM_AGENT,
      ldsConfig: FROM_AGENT
    },
    staticResources: {
      clusters: [
        pipeCluster(BOOTSTRAP_CLUSTERS.agent, checkedPath('agent socket', socketPath), { http2ProtocolOptions: {} }),
        pipeCluster(BOOTSTRAP_CLUSTERS.admin, adminSocket, { httpProtocolOptions: {} })
      ]
    },
    // A listener within the proxy looks for HTTP on outgoing connections to ports that declare nothing. What closes
    // after its last byte there is to be the end, and not a reset that may overtake these bytes: Envoy's default.
    bootstrapExtensions: [
      {
        name: 'envoy.bootstrap.internal_listener',
        typedConfig: {
          '@type': 'type.googleapis.com/envoy.extensions.bootstrap.internal_listener.v3.InternalListener'
        }
      }
    ],
    layeredRuntime: {
      layers: [
        {
          name: 'static',
          staticLayer: { 'envoy.reloadable_features.enable_send_rst_on_user_space_socket': false }
        }
      ]
    },
    // Most clusters of a mesh are never called by one pod; their statistics would be most of its proxy's memory.
    deferredStatOptions: { enableDeferredCreationStats: true }
  }
}

function checkedPath(what: string, path: string): string {
  const length = Buffer.byteLength(path)
  if (length > LONGEST_SOCKET_PATH)
    throw new CountersignError(
      'ERR_ADDRESS_UNUSABLE',
      `${what} ${path} has ${length} bytes: expected at most ${LONGEST_SOCKET_PATH}`
    )
  return path
}

function pipeCluster(name: string, path: string, explicitHttpConfig: object): object {
  const options = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions'
  return {
    name,
    type: 'STATIC',
    connectTimeout: '1s',
    typedExtensionProtocolOptions: { [options]: { '@type': `type.googleapis.com/${options}`, explicitHttpConfig } },
    loadAssignment: {
      clusterName: name,
      endpoints: [{ lbEndpoints: [{ endpoint: { address: { pipe: { path } } } }] }]
    }
  }
}
