#include "mesh/http/client_cert.h"

#include "mesh/io/cluster.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <string.h>

/* The common name, when there is exactly one and a member or a person could be called so. */
static bool read_name(const gnutls_datum_t *der, char name[static NAME_SIZE])
{
    gnutls_x509_crt_t cert;
    char second[NAME_SIZE];
    size_t n = NAME_SIZE, more = sizeof second;
    if (gnutls_x509_crt_init(&cert) < 0)
        return false;
    bool good = gnutls_x509_crt_import(cert, der, GNUTLS_X509_FMT_DER) >= 0 &&
                gnutls_x509_crt_get_dn_by_oid(cert, GNUTLS_OID_X520_COMMON_NAME, 0, 0, name, &n) >= 0 &&
                gnutls_x509_crt_get_dn_by_oid(cert, GNUTLS_OID_X520_COMMON_NAME, 1, 0, second, &more) ==
                    GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE &&
                strnlen(name, NAME_SIZE) == n && cluster_name_valid(name);
    gnutls_x509_crt_deinit(cert);
    return good;
}

enum client_cert client_cert_look(void *session, char name[static NAME_SIZE], const char **why)
{
    gnutls_typed_vdata_st client = {.type = GNUTLS_DT_KEY_PURPOSE_OID,
                                    .data = (unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_CLIENT};
    unsigned n = 0, wrong = 0;
    const gnutls_datum_t *chain = gnutls_certificate_get_peers(session, &n);
    if (chain == NULL || n == 0)
        return CLIENT_CERT_NONE;
    *why = NULL;
    if (gnutls_certificate_verify_peers(session, &client, 1, &wrong) < 0)
        *why = "the certificate cannot be verified";
    else if (wrong & GNUTLS_CERT_EXPIRED)
        *why = "the certificate has expired";
    else if (wrong & GNUTLS_CERT_NOT_ACTIVATED)
        *why = "the certificate is not valid yet";
    else if (wrong & GNUTLS_CERT_PURPOSE_MISMATCH)
        *why = "the certificate is not made for a client";
    else if (wrong != 0)
        *why = "no authority of http_client_ca stands for the certificate";
    else if (!read_name(&chain[0], name))
        *why = "the certificate has not one common name that is a name here";
    return *why == NULL ? CLIENT_CERT_GOOD : CLIENT_CERT_REFUSED;
}

bool client_cert_authorities(const char *pem)
{
    gnutls_datum_t text = {(unsigned char *)(uintptr_t)pem, (unsigned)strlen(pem)};
    gnutls_x509_crt_t *list = NULL;
    unsigned n = 0;
    if (gnutls_x509_crt_list_import2(&list, &n, &text, GNUTLS_X509_FMT_PEM, 0) < 0)
        return false;
    for (unsigned i = 0; i < n; i++)
        gnutls_x509_crt_deinit(list[i]);
    gnutls_free(list);
    return n > 0;
}
