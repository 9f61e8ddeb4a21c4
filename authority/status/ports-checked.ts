import { describePort, type PortReport } from '../../shared/port-traffic/index.ts'
import type { Condition } from './policy-status.ts'

export interface PortFacts {
  /** By port. Undefined: no workload has the policy. */
  readonly reports: readonly PortReport[] | undefined
  readonly exemptPorts: readonly number[]
  /** Why the policy is not enforced on some of the pods that it selects. */
  readonly gaps: readonly string[]
}

/** More of them make nothing clearer, and change more often. */
const MOST_PORTS = 10
const MOST_GAPS = 5
const LONGEST_GAP = 300

/** On which ports a policy on end users is enforced, and what is true of the others. */
export function portsChecked({ reports, exemptPorts, gaps }: PortFacts): Condition {
  const texts = [...gapTexts(gaps), ...(reports === undefined ? [] : portTexts(reports, exemptPorts))]
  const message = texts.join('; ')
  if (gaps.length > 0) return { type: 'PortsChecked', status: 'False', reason: 'NotEnforced', message }
  if (reports === undefined)
    return {
      type: 'PortsChecked',
      status: 'Unknown',
      reason: 'NoWorkload',
      message: 'no pod that has a proxy has a rule of the policy'
    }
  return { type: 'PortsChecked', status: 'True', reason: 'PortsChecked', message }
}

/** Why a policy is not enforced on some pods, in a bounded number of bounded texts. */
export function gapTexts(gaps: readonly string[]): readonly string[] {
  const texts = gaps.map(gap => (gap.length > LONGEST_GAP ? `${gap.slice(0, LONGEST_GAP - 1)}…` : gap))
  return named(texts, MOST_GAPS)
}

/** Whether tokens are checked on every port, declared or not, so that no more is to be said. */
export function isCheckedEverywhere({ reports, exemptPorts, gaps }: PortFacts): boolean {
  const outcomes = (reports ?? []).map(({ outcome }) => outcome)
  return gaps.length === 0 && exemptPorts.length === 0 && outcomes.every(outcome => outcome === 'checked')
}

function portTexts(reports: readonly PortReport[], exemptPorts: readonly number[]): readonly string[] {
  const declared = new Set(reports.map(({ number }) => number))
  const exempt = exemptPorts
    .filter(number => !declared.has(number))
    .map((number): PortReport => ({ number, outcome: 'exempt', declaration: '' }))
  const texts = [...reports, ...exempt].sort((a, b) => a.number - b.number).map(describePort)
  return [...named(texts, MOST_PORTS), 'ports that nothing declares: HTTP only, tokens are checked']
}

function named(texts: readonly string[], most: number): readonly string[] {
  return texts.length > most ? [...texts.slice(0, most), 'and others'] : texts
}
