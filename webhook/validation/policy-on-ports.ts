import type { Labels } from '../../shared/inventory/index.ts'
import {
  checkEndUserAuthentication,
  checkRequestAuthentication,
  type EndUserAuthentication,
  type RequestAuthentication
} from '../../shared/policy/index.ts'
import type { TypedObject } from './validate-policy.ts'

/** A policy on end users, as far as ports are concerned. */
export interface PolicyOnPorts {
  readonly namespace: string
  /** Labels of the pods that it selects; empty: all. */
  readonly labels: Labels
  readonly rule: { readonly required: boolean; readonly exemptPorts: number[] }
  /** Where its author exempts a port. */
  readonly exemptBy: string
}

/** Undefined: another kind, not valid, or without a rule, so that no port is concerned. */
export function policyOnPorts(object: TypedObject): PolicyOnPorts | undefined {
  switch (object.kind) {
    case 'EndUserAuthentication': {
      const result = checkEndUserAuthentication(object)
      return result.ok ? onPorts(result.policy, true, 'spec.exemptPorts') : undefined
    }
    case 'RequestAuthentication': {
      const result = checkRequestAuthentication(object)
      if (!result.ok || result.policy.rules.length === 0) return undefined
      const isRequired = result.policy.rules.some(({ required }) => required === true)
      return onPorts(result.policy, isRequired, 'the annotation countersign.dev/exempt-ports')
    }
    default:
      return undefined
  }
}

function onPorts(
  { namespace, selector = {}, exemptPorts }: EndUserAuthentication | RequestAuthentication,
  required: boolean,
  exemptBy: string
): PolicyOnPorts {
  return { namespace, labels: selector, rule: { required, exemptPorts: [...exemptPorts] }, exemptBy }
}
