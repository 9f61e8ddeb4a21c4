import { isDeepStrictEqual } from 'node:util'
import type { Container, Pod } from '../pod/index.ts'
import { MOUNT_PATH, VOLUME } from './names.ts'

// Every field of a container can change what runs in it: a variable (LD_PRELOAD), a mount, a message file over another
// file. So all fields are compared, and one that has no rule here must be absent.

/** What is expected of the container and is not so, each as a phrase. */
type Rule = (found: Container, wanted: Container, pod: Pod) => string[]

const anything: Rule = () => []

const expected = (what: string, holds: boolean): string[] => (holds ? [] : [what])

/** @param defaults that the API server fills in where they are absent */
function same(found: object | undefined, wanted: object | undefined, defaults: object = {}): boolean {
  const filled = (given: object = {}): object => ({ ...defaults, ...Object(pruned(given)) })
  return isDeepStrictEqual(filled(found), filled(wanted))
}

const RULES: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  ['name', anything],
  ['image', ({ image }, wanted) => expected('the image', image === wanted.image)],
  // Always is what the admission plugin AlwaysPullImages writes.
  [
    'imagePullPolicy',
    ({ imagePullPolicy: found }, { imagePullPolicy }) =>
      expected(`imagePullPolicy ${imagePullPolicy}`, [undefined, null, 'Always', imagePullPolicy].includes(found))
  ],
  [
    'restartPolicy',
    (found, { restartPolicy }) => expected(`restartPolicy ${restartPolicy}`, found.restartPolicy === restartPolicy)
  ],
  ['args', ({ args }, wanted) => expected('the arguments', isDeepStrictEqual(args, wanted.args))],
  ['env', ({ env }) => (env ?? []).flatMap(({ name }) => expected(`no env ${name}`, ALLOWED_VARIABLES.has(name)))],
  ['ports', ({ ports }, wanted) => expected('the ports', isDeepStrictEqual(pruned(ports ?? []), wanted.ports))],
  // The amounts are for the pod, a LimitRange or an autoscaler to decide. A device of a claim can bring mounts and hooks.
  ['resources', ({ resources }) => expected('no resources.claims', (resources?.claims ?? []).length === 0)],
  ['resizePolicy', anything],
  [
    'startupProbe',
    (found, wanted) => expected('the startup probe', sameProbe(found.startupProbe, wanted.startupProbe))
  ],
  [
    'readinessProbe',
    (found, wanted) => expected('the readiness probe', sameProbe(found.readinessProbe, wanted.readinessProbe))
  ],
  ['lifecycle', ({ lifecycle }) => expected('no lifecycle hook', isEmpty(pruned(lifecycle)))],
  [
    'securityContext',
    (found, wanted) =>
      expected('the securityContext', same(found.securityContext, wanted.securityContext, { procMount: 'Default' }))
  ],
  ['volumeMounts', mountProblems],
  // The runtime mounts a file there.
  [
    'terminationMessagePath',
    ({ terminationMessagePath }) =>
      expected(
        `terminationMessagePath ${MESSAGE_PATH}`,
        [undefined, null, '', MESSAGE_PATH].includes(terminationMessagePath)
      )
  ],
  ['terminationMessagePolicy', anything]
])

const MESSAGE_PATH = '/dev/termination-log'

// What webhooks for the identities of clouds add to every container, and what Envoy does not read. Sources:
// aws/amazon-eks-pod-identity-webhook, pkg/handler; Azure/azure-workload-identity, pkg/webhook.
const ALLOWED_VARIABLES: ReadonlySet<string> = new Set([
  'TZ',
  ...['AWS_DEFAULT_REGION', 'AWS_REGION', 'AWS_ROLE_ARN', 'AWS_STS_REGIONAL_ENDPOINTS', 'AWS_WEB_IDENTITY_TOKEN_FILE'],
  ...['AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE', 'AWS_CONTAINER_CREDENTIALS_FULL_URI'],
  ...['AZURE_AUTHORITY_HOST', 'AZURE_CLIENT_ID', 'AZURE_FEDERATED_TOKEN_FILE', 'AZURE_TENANT_ID']
])

// Kubernetes adds the token of the service account to every container that is there before admission.
const TOKENS: ReadonlySet<string> = new Set([
  '/var/run/secrets/kubernetes.io/serviceaccount',
  '/var/run/secrets/eks.amazonaws.com/serviceaccount',
  '/var/run/secrets/pods.eks.amazonaws.com/serviceaccount',
  '/var/run/secrets/azure/tokens'
])

function mountProblems({ volumeMounts }: Container, wanted: Container, { spec }: Pod): string[] {
  const projected = new Set((spec?.volumes ?? []).filter(one => one.projected != null).map(({ name }) => name))
  return (volumeMounts ?? []).flatMap(mount => {
    const { name, mountPath, readOnly: _, ...rest } = mount
    if (name === VOLUME)
      return expected(`the volume ${VOLUME} at ${MOUNT_PATH} alone`, same([mount], wanted.volumeMounts))
    return expected(
      `no volume but ${VOLUME} at ${mountPath}`,
      TOKENS.has(mountPath) && projected.has(name) && isEmpty(pruned(rest))
    )
  })
}

function sameProbe(found: Container['startupProbe'], wanted: Container['startupProbe']): boolean {
  return same(found, wanted, { successThreshold: 1 })
}

/** How a container differs from the proxy that injection adds, each as a phrase; what the API server fills in is not. */
export function proxyDifferences(found: Container, wanted: Container, pod: Pod): string[] {
  const others = Object.entries(found)
    .filter(([field, value]) => !RULES.has(field) && value !== false && !isEmpty(pruned(value)))
    .map(([field]) => `no ${field}`)
  return [...[...RULES.values()].flatMap(rule => rule(found, wanted, pod)), ...others]
}

/** Without what says nothing: some clients write null, an empty text or an empty list. */
function pruned(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(pruned)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .map(([key, inner]) => [key, pruned(inner)] as const)
      .filter(([, inner]) => !isEmpty(inner))
  )
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === '') return true
  return typeof value === 'object' && Object.keys(value).length === 0
}
