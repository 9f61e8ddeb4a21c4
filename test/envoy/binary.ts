import { findEnvoy } from '../../shared/config/index.ts'

/** The Envoy to test with. A test without Envoy fails here: it never skips. */
export function envoyBinary(): string {
  return findEnvoy().envoy
}
