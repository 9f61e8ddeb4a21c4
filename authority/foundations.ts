import { join } from 'node:path'
import { systemClock } from '../shared/clock/index.ts'
import { writeFileAtomically } from '../shared/files/index.ts'
import { FolderSource } from '../shared/inventory/folder/index.ts'
import type { InventorySource } from '../shared/inventory/index.ts'
import { KubernetesSource } from '../shared/inventory/kubernetes/index.ts'
import { KubeClient, retryKubernetes } from '../shared/kube/index.ts'
import type { Readiness } from '../shared/lifecycle/index.ts'
import type { Logger } from '../shared/log/index.ts'
import { type Issuer, toPem } from '../shared/x509/index.ts'
import { ApiTokenKeys, TokenKeyFile, type TokenKeys } from './authentication/index.ts'
import { BundlePublisher } from './bundle/index.ts'
import {
  BlockedAddresses,
  ConfigMapKeyStore,
  FileKeyStore,
  type KeyStore,
  type RememberedKeySet,
  rememberedKeySets
} from './keys/index.ts'
import { FolderSecretStore, KubernetesSecretStore, type SecretStore } from './login-secrets/index.ts'
import type { AuthorityMetrics } from './metrics/index.ts'
import type { AuthorityOptions } from './options.ts'
import { FileRootStore, openRoot, SecretRootStore } from './root/index.ts'
import type { Surroundings } from './settings.ts'

/** What the authority stands on: the same from a folder as from the Kubernetes API. */
export interface Foundations {
  readonly root: Issuer
  readonly source: InventorySource
  readonly tokenKeys: TokenKeys
  readonly tokenIssuers: { readonly issuers: readonly string[] }
  /** Absent with a folder. */
  readonly client?: KubeClient
  /** Where keys of end users' tokens are kept, and what was. */
  readonly keySets: { readonly store: KeyStore; readonly remembered: ReadonlyMap<string, RememberedKeySet> }
  /** Where the secrets of logins are. */
  readonly secrets: SecretStore
}

export interface Start {
  readonly options: AuthorityOptions
  readonly readiness: Readiness
  readonly metrics: AuthorityMetrics
  readonly log: Logger
  /** What is to be closed again, in reverse order. */
  readonly opened: (() => Promise<void> | void)[]
}

const clock = systemClock

/** From a folder of manifests. */
export async function onFolder(
  place: Surroundings & { readonly kind: 'folder' },
  { options, metrics, log, opened }: Start
): Promise<Foundations> {
  const { trustDomain, blockedKeyAddresses, podCidrs } = options
  const root = await openRoot(new FileRootStore(place.state), { trustDomain, clock })
  writeFileAtomically(place.bundleFile, toPem([root.certificate]), 0o644)

  const source = await FolderSource.open({ path: place.folder, clock, log, podCidrs })
  opened.push(() => source.close())
  source.subscribe(() => metrics.onFileProblems(source.problems().length))
  metrics.onFileProblems(source.problems().length)

  const tokenKeys = await TokenKeyFile.open({ path: place.tokenKeys, clock, log })
  opened.push(() => tokenKeys.close())
  const store = new FileKeyStore(join(place.state, 'key-sets.json'))
  const keySets = { store, remembered: await rememberedKeySets(store, new BlockedAddresses(blockedKeyAddresses), log) }
  const secrets = new FolderSecretStore(source)
  return { root, source, tokenKeys, tokenIssuers: { issuers: [place.tokenIssuer] }, keySets, secrets }
}

/** From the Kubernetes API; waits for it as long as it takes. */
export async function onKubernetes(
  { kubeconfig, tokenIssuer: issuer }: Surroundings & { readonly kind: 'kubernetes' },
  { options, readiness, log, opened }: Start
): Promise<Foundations> {
  const { trustDomain, systemNamespace: namespace, podCidrs } = options
  const [rootDebt, meshDebt, keysDebt, bundleDebt] = ['root', 'mesh inventory', 'token keys', 'trust bundle'].map(
    name => readiness.owe(name)
  )
  const random = Math.random
  const patience = { clock, random, log }
  const client = await KubeClient.open({ kubeconfig, userAgent: 'countersign-authority', clock })
  opened.push(() => client.close())

  const source = new KubernetesSource({ client, clock, random, log, podCidrs })
  opened.push(() => source.close())

  const store = new SecretRootStore(client, namespace)
  const root = await retryKubernetes('opening the root', () => openRoot(store, { trustDomain, clock }), patience)
  rootDebt?.pay()

  const bundle = (): string => toPem([root.certificate])
  const publisher = new BundlePublisher({ client, namespace, bundle, clock, random, log })
  opened.push(() => publisher.close())
  void publisher.published.then(() => bundleDebt?.pay())

  const openKeys = (): Promise<ApiTokenKeys> => ApiTokenKeys.open({ client, issuer, clock, log })
  const tokenKeys = await retryKubernetes('reading the token keys', openKeys, patience)
  opened.push(() => tokenKeys.close())
  keysDebt?.pay()

  // Agents are told nothing before all of the mesh was seen: a part of it would look as if the rest were gone.
  await source.synced
  meshDebt?.pay()

  const keyStore = new ConfigMapKeyStore(client, namespace)
  const blockedAddresses = new BlockedAddresses(options.blockedKeyAddresses)
  const readKeySets = () => rememberedKeySets(keyStore, blockedAddresses, log)
  const keySets = { store: keyStore, remembered: await retryKubernetes('reading the key sets', readKeySets, patience) }
  const secrets = new KubernetesSecretStore(client)
  return { root, source, tokenKeys, tokenIssuers: tokenKeys, keySets, secrets, client }
}
