import { create, createRegistry, type JsonValue, toJson } from '@bufbuild/protobuf'
import { anyPack } from '@bufbuild/protobuf/wkt'
import { CountersignError } from '../../shared/errors/index.ts'
import { BootstrapSchema } from '../../shared/proto/gen/envoy/config/bootstrap/v3/bootstrap_pb.js'
import {
  type Cluster,
  ClusterSchema,
  Cluster_DiscoveryType as Type
} from '../../shared/proto/gen/envoy/config/cluster/v3/cluster_pb.js'
import {
  ApiConfigSource_ApiType as ApiType,
  ApiVersion
} from '../../shared/proto/gen/envoy/config/core/v3/config_source_pb.js'
import { HttpProtocolOptionsSchema } from '../../shared/proto/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.js'
import { pipeAddress } from './address.ts'
import { FROM_AGENT } from './config-source.ts'
import { milliseconds } from './duration.ts'
import { NAMES } from './names.ts'

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

// sockaddr_un has 108 bytes for a path and its end (unix(7)); Envoy refuses to start with a longer one.
const LONGEST_SOCKET_PATH = 107

/**
 * The bootstrap file, as proto-JSON: the agent's socket, and that everything else is asked for there.
 *
 * @throws CountersignError ERR_ADDRESS_UNUSABLE when a path is too long for a Unix socket
 */
export function createBootstrap(options: BootstrapOptions): JsonValue {
  const { nodeId, nodeCluster, socketPath, adminSocket = '@countersign-admin' } = options
  const bootstrap = create(BootstrapSchema, {
    node: { id: nodeId, cluster: nodeCluster },
    // Never on a TCP port: whoever reaches it can stop the proxy.
    admin: { address: pipeAddress(checkedPath('admin socket', adminSocket)) },
    dynamicResources: {
      adsConfig: {
        apiType: ApiType.DELTA_GRPC,
        transportApiVersion: ApiVersion.V3,
        setNodeOnFirstMessageOnly: true,
        grpcServices: [
          {
            targetSpecifier: {
              case: 'envoyGrpc',
              value: {
                clusterName: NAMES.cluster.agent,
                // By default up to 30 s would pass before a restarted agent is found again.
                retryPolicy: {
                  retryBackOff: { baseInterval: milliseconds(200), maxInterval: milliseconds(2_000) }
                }
              }
            }
          }
        ]
      },
      cdsConfig: FROM_AGENT,
      ldsConfig: FROM_AGENT
    },
    staticResources: {
      clusters: [
        pipeCluster(NAMES.cluster.agent, checkedPath('agent socket', socketPath), 'http2'),
        pipeCluster(NAMES.cluster.admin, adminSocket, 'http1')
      ]
    },
    // Most clusters of a mesh are never called by one pod; their statistics would be most of its proxy's memory.
    deferredStatOptions: { enableDeferredCreationStats: true }
  })
  return toJson(BootstrapSchema, bootstrap, { registry: createRegistry(HttpProtocolOptionsSchema) })
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

function pipeCluster(name: string, path: string, http: 'http1' | 'http2'): Cluster {
  const options = create(HttpProtocolOptionsSchema, {
    upstreamProtocolOptions: {
      case: 'explicitHttpConfig',
      value: {
        protocolConfig:
          http === 'http2' ? { case: 'http2ProtocolOptions', value: {} } : { case: 'httpProtocolOptions', value: {} }
      }
    }
  })
  return create(ClusterSchema, {
    name,
    clusterDiscoveryType: { case: 'type', value: Type.STATIC },
    connectTimeout: milliseconds(1_000),
    typedExtensionProtocolOptions: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': anyPack(HttpProtocolOptionsSchema, options)
    },
    loadAssignment: {
      clusterName: name,
      endpoints: [{ lbEndpoints: [{ hostIdentifier: { case: 'endpoint', value: { address: pipeAddress(path) } } }] }]
    }
  })
}
