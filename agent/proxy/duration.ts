import { create } from '@bufbuild/protobuf'
import { type Duration, DurationSchema } from '@bufbuild/protobuf/wkt'

export function milliseconds(count: number): Duration {
  return create(DurationSchema, { seconds: BigInt(Math.floor(count / 1000)), nanos: (count % 1000) * 1_000_000 })
}

/** To Envoy, as a timeout: never. */
export const NEVER: Duration = milliseconds(0)
