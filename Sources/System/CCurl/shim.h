#ifndef PENSTOCK_CCURL_SHIM_H
#define PENSTOCK_CCURL_SHIM_H
#include <curl/curl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
/* Variadic functions, which Swift does not import: a setter for each type of option. */
static inline CURLcode penstock_curl_set_long(CURL *call, CURLoption option, long value) {
  return (curl_easy_setopt)(call, option, value);
}
static inline CURLcode penstock_curl_set_size(CURL *call, CURLoption option, long long value) {
  return (curl_easy_setopt)(call, option, (curl_off_t)value);
}
static inline CURLcode penstock_curl_set_text(CURL *call, CURLoption option, const char *value) {
  return (curl_easy_setopt)(call, option, value);
}
static inline CURLcode penstock_curl_set_pointer(CURL *call, CURLoption option, void *value) {
  return (curl_easy_setopt)(call, option, value);
}
static inline CURLcode penstock_curl_set_headers(CURL *call, struct curl_slist *headers) {
  return (curl_easy_setopt)(call, CURLOPT_HTTPHEADER, headers);
}
static inline CURLcode penstock_curl_set_write(CURL *call, curl_write_callback body) {
  return (curl_easy_setopt)(call, CURLOPT_WRITEFUNCTION, body);
}
static inline CURLcode penstock_curl_set_open(CURL *call, curl_opensocket_callback body) {
  return (curl_easy_setopt)(call, CURLOPT_OPENSOCKETFUNCTION, body);
}
static inline CURLMcode penstock_curl_set_most(CURLM *calls, CURLMoption option, long value) {
  return (curl_multi_setopt)(calls, option, value);
}
static inline long penstock_curl_status(CURL *call) {
  long status = 0;
  (curl_easy_getinfo)(call, CURLINFO_RESPONSE_CODE, &status);
  return status;
}
static inline long long penstock_curl_retry_after(CURL *call) {
  curl_off_t seconds = 0;
  (curl_easy_getinfo)(call, CURLINFO_RETRY_AFTER, &seconds);
  return seconds;
}
/* What has ended, with its result; NULL for none. */
static inline CURL *penstock_curl_ended(CURLM *calls, CURLcode *result) {
  int left = 0;
  CURLMsg *message;
  while ((message = curl_multi_info_read(calls, &left)))
    if (message->msg == CURLMSG_DONE) {
      *result = message->data.result;
      return message->easy_handle;
    }
  return NULL;
}
/* The bytes of an address, in network order: how many there are, 0 for another family. */
static inline int penstock_curl_address(const struct curl_sockaddr *address, unsigned char *bytes) {
  if (address->family == AF_INET) {
    memcpy(bytes, &((const struct sockaddr_in *)(const void *)&address->addr)->sin_addr, 4);
    return 4;
  }
  if (address->family == AF_INET6) {
    memcpy(bytes, &((const struct sockaddr_in6 *)(const void *)&address->addr)->sin6_addr, 16);
    return 16;
  }
  return 0;
}
static inline curl_socket_t penstock_curl_socket(const struct curl_sockaddr *address) {
  return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}
#endif
