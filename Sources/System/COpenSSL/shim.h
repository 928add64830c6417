#ifndef PENSTOCK_COPENSSL_SHIM_H
#define PENSTOCK_COPENSSL_SHIM_H
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
/* Never asks at the terminal for what opens a key. */
static inline int penstock_tls_no_passphrase(char *buffer, int size, int writing, void *data) {
  (void)buffer, (void)size, (void)writing, (void)data;
  return 0;
}
static inline void penstock_tls_ask_nobody(SSL_CTX *context) {
  SSL_CTX_set_default_passwd_cb(context, penstock_tls_no_passphrase);
}
/* Macros, which Swift does not import. */
static inline void penstock_tls_require_1_2(SSL_CTX *context) {
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
}
static inline int penstock_tls_name_server(SSL *connection, const char *name) {
  return (int)SSL_set_tlsext_host_name(connection, name);
}
#endif
