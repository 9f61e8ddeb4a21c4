import { IptablesRedirector } from './iptables-redirector.ts'
import { NftablesRedirector } from './nftables-redirector.ts'
import type { RemovableRedirector } from './redirector.ts'

/** The means of capture, by name. */
export const MEANS = {
  nftables: new NftablesRedirector(),
  'iptables-nft': new IptablesRedirector('nft'),
  'iptables-legacy': new IptablesRedirector('legacy')
} as const satisfies Readonly<Record<string, RemovableRedirector>>

export type MeansName = keyof typeof MEANS

/** What can be asked for, and what it stands for: the first of these that works. */
const CHOICES = {
  // One transaction for both families first; what distributions are taking out of their kernels last.
  auto: ['nftables', 'iptables-nft', 'iptables-legacy'],
  nftables: ['nftables'],
  iptables: ['iptables-nft', 'iptables-legacy'],
  'iptables-nft': ['iptables-nft'],
  'iptables-legacy': ['iptables-legacy']
} as const satisfies Readonly<Record<string, readonly MeansName[]>>

export type CaptureChoice = keyof typeof CHOICES

export const CAPTURE_CHOICES = Object.keys(CHOICES) as readonly CaptureChoice[]

export function candidatesFor(choice: CaptureChoice): readonly MeansName[] {
  return CHOICES[choice]
}
