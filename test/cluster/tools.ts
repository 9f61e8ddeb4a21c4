import { join } from 'node:path'
import { ClusterError } from './cluster-error.ts'
import type { KubernetesVersion, Settings } from './settings.ts'

/** A program that is no Debian package, and how it is built from Go modules of exact versions. */
export interface Tool {
  readonly name: 'kube' | 'coredns' | 'helm'
  readonly version: string
  /** What it is called in the folder of COUNTERSIGN_TOOLS. */
  readonly packed: string
  /** The folder of its module, beside this file. */
  readonly module: string
  /** The go.mod of this version, where there are several. */
  readonly modfile?: string
  /** What of the module is built. */
  readonly target: string
  readonly linkerFlags: string
  /** About how long it takes on two CPUs, to say so. */
  readonly minutes: number
}

const STRIPPED = '-s -w'
const HELM = '4.3.1'

const KUBE: Readonly<Record<KubernetesVersion, { version: string; modfile?: string }>> = {
  '1.34': { version: '1.34.4' },
  '1.37': { version: '1.37.2', modfile: 'kubernetes-1.37.mod' }
}

/** The programs of a cluster. */
export function toolsFor(kubernetes: KubernetesVersion): readonly Tool[] {
  const { version, modfile } = KUBE[kubernetes]
  return [
    {
      name: 'kube',
      version,
      packed: `kube-${kubernetes}.xz`,
      module: 'kube',
      ...(modfile === undefined ? {} : { modfile }),
      target: '.',
      linkerFlags: versionFlags(version),
      minutes: 6
    },
    {
      name: 'coredns',
      version: '1.12.4',
      packed: 'coredns.xz',
      module: 'coredns',
      target: '.',
      linkerFlags: STRIPPED,
      minutes: 3
    },
    {
      name: 'helm',
      version: HELM,
      packed: 'helm.xz',
      module: 'helm',
      target: 'helm.sh/helm/v4/cmd/helm',
      linkerFlags: `${STRIPPED} -X helm.sh/helm/v4/internal/version.version=v${HELM}`,
      minutes: 3
    }
  ]
}

// Without these, the programs would call themselves v0.0.0 and a chart that asks for a version would refuse them.
function versionFlags(version: string): string {
  const [major, minor] = version.split('.')
  const facts = { gitVersion: `v${version}`, gitMajor: major, gitMinor: minor, gitTreeState: 'clean' }
  const flags = ['k8s.io/component-base/version', 'k8s.io/client-go/pkg/version'].flatMap(name =>
    Object.entries(facts).map(([fact, value]) => `-X ${name}.${fact}=${value}`)
  )
  return [STRIPPED, ...flags].join(' ')
}

/** Where a program comes from. `to` is where it will be, `from` the packed file. */
export type ToolSource =
  | { readonly kind: 'packed'; readonly from: string; readonly to: string }
  | { readonly kind: 'cached'; readonly to: string }
  | { readonly kind: 'built'; readonly to: string }

/**
 * Where a program comes from: the folder that was named, else the cache, else Go modules.
 *
 * @param cache the folder `.cache/cluster-tools` of the checkout
 * @throws ClusterError when a folder was named that does not have it
 */
export function toolSource(
  tool: Tool,
  { tools }: Pick<Settings, 'tools'>,
  cache: string,
  exists: (file: string) => boolean
): ToolSource {
  if (tools !== undefined) {
    const from = join(tools, tool.packed)
    if (exists(from)) return { kind: 'packed', from, to: join(cache, 'packed', tool.packed.replace(/\.xz$/, '')) }
    throw new ClusterError(
      `COUNTERSIGN_TOOLS is ${tools}, and there is no ${tool.packed} in it`,
      'correct COUNTERSIGN_TOOLS, or unset it: then the program is built from Go modules, once'
    )
  }
  const to = join(cache, `${tool.name}-${tool.version}`, tool.name)
  return exists(to) ? { kind: 'cached', to } : { kind: 'built', to }
}
