import { type PortReport, portReport } from '../../shared/port-traffic/index.ts'
import type { TokenRule, Workload } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'

/** What a workload's policies mean on its declared ports, by subject. Worked out once for each message. */
const reportsOf = new WeakMap<Workload, ReadonlyMap<string, readonly PortReport[]>>()

/** What each policy on end users means on each declared port of the workloads that it selects. */
export class PortReports {
  readonly #bySubject = new Map<string, Map<string, PortReport>>()

  constructor(workloads: Iterable<Workload>) {
    for (const workload of workloads)
      for (const [subject, reports] of cached(workload)) {
        const known = this.#bySubject.get(subject) ?? new Map<string, PortReport>()
        this.#bySubject.set(subject, known)
        for (const report of reports) known.set(`${report.number} ${report.outcome} ${report.declaration}`, report)
      }
  }

  /**
   * By port, each once, so that replicas change nothing. Undefined: no workload has the policy.
   *
   * @param subject `EndUserAuthentication shop/orders`
   */
  of(subject: string): readonly PortReport[] | undefined {
    const reports = this.#bySubject.get(subject)
    if (reports === undefined) return undefined
    return [...reports]
      .sort(([a, { number: m }], [b, { number: n }]) => m - n || (a < b ? -1 : 1))
      .map(([, report]) => report)
  }
}

function cached(workload: Workload): ReadonlyMap<string, readonly PortReport[]> {
  const known = reportsOf.get(workload)
  if (known !== undefined) return known
  const rules = workload.endUsers?.rules ?? []
  const bySubject = new Map(
    [...rulesBySubject(rules)].map(([subject, own]) => [
      subject,
      workload.ports.map(port => portReport(port, own, rules))
    ])
  )
  reportsOf.set(workload, bySubject)
  return bySubject
}

/** Rules by the policies that they come from; a rule of RequestAuthentications may come from several. */
function rulesBySubject(rules: readonly TokenRule[]): ReadonlyMap<string, readonly TokenRule[]> {
  const bySubject = new Map<string, TokenRule[]>()
  for (const rule of rules)
    for (const subject of subjectsOf(rule)) {
      const own = bySubject.get(subject)
      if (own === undefined) bySubject.set(subject, [rule])
      else own.push(rule)
    }
  return bySubject
}

/** The rule of an EndUserAuthentication may demand tokens of other policies, and is not theirs for that. */
function subjectsOf({ providers, optionalProviders, alsoRequired }: TokenRule): ReadonlySet<string> {
  const own = new Set(providers.flatMap(subjectOfProvider))
  if ([...own].some(subject => subject.startsWith('EndUserAuthentication '))) return own
  return new Set([...own, ...[...optionalProviders, ...alsoRequired].flatMap(subjectOfProvider)])
}

/** countersign/mesh/v1/mesh.proto, TokenProvider.name: `<kind>/<namespace>/<name>`, perhaps with a number behind. */
function subjectOfProvider(provider: string): readonly string[] {
  const [kind, namespace, name] = provider.split('/')
  return name === undefined ? [] : [`${kind} ${namespace}/${name}`]
}
