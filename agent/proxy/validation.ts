import { create } from '@bufbuild/protobuf'
import { anyPack } from '@bufbuild/protobuf/wkt'
import type { TrustBundle } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import { TypedExtensionConfigSchema } from '../../shared/proto/gen/envoy/config/core/v3/extension_pb.js'
import {
  type CertificateValidationContext,
  CertificateValidationContextSchema,
  SubjectAltNameMatcher_SanType as SanType,
  type SubjectAltNameMatcher,
  SubjectAltNameMatcherSchema
} from '../../shared/proto/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.js'
import {
  SPIFFECertValidatorConfigSchema,
  SPIFFECertValidatorConfig_TrustDomainSchema as TrustDomainSchema
} from '../../shared/proto/gen/envoy/extensions/transport_sockets/tls/v3/tls_spiffe_validator_config_pb.js'

// Envoy's validator finds the roots by a certificate's SPIFFE ID, so no certificate has a name that is not one.
const NOBODY = 'countersign:nobody'

/**
 * A validation context that verifies a certificate against the roots of its own trust domain (X509-SVID, section 5.2;
 * Envoy's `envoy.tls.cert_validator.spiffe`). `identities`: the only SPIFFE IDs that pass; undefined: all. An empty
 * list means nobody, though to Envoy an empty list of matchers means anybody.
 */
export function validationContext(
  bundles: readonly TrustBundle[],
  identities?: readonly string[]
): CertificateValidationContext {
  const config = create(SPIFFECertValidatorConfigSchema, {
    trustDomains: bundles.map(({ trustDomain, roots }) =>
      create(TrustDomainSchema, {
        name: trustDomain,
        trustBundle: { specifier: { case: 'inlineString', value: roots.map(pemOf).join('') } }
      })
    )
  })
  return create(CertificateValidationContextSchema, {
    matchTypedSubjectAltNames: identities === undefined ? [] : matchersOf(identities),
    customValidatorConfig: create(TypedExtensionConfigSchema, {
      name: 'envoy.tls.cert_validator.spiffe',
      typedConfig: anyPack(SPIFFECertValidatorConfigSchema, config)
    })
  })
}

function matchersOf(identities: readonly string[]): SubjectAltNameMatcher[] {
  const allowed = identities.length === 0 ? [NOBODY] : identities
  return [...new Set(allowed)].sort().map(identity =>
    create(SubjectAltNameMatcherSchema, {
      sanType: SanType.URI,
      matcher: { matchPattern: { case: 'exact', value: identity } }
    })
  )
}

function pemOf(der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? []
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`
}
