// Reads every partition of a topic from its beginning, with librdkafka's own settings.
#include "steady.h"
#include <librdkafka/rdkafka.h>

enum { batch = 512 };

static void assign_all(rd_kafka_t *client, const char *topic) {
    const struct rd_kafka_metadata *metadata;
    rd_kafka_topic_t *handle = rd_kafka_topic_new(client, topic, NULL);
    rd_kafka_resp_err_t error = rd_kafka_metadata(client, 0, handle, &metadata, 10000);
    if (error) fail("metadata", rd_kafka_err2str(error));
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(8);
    for (int i = 0; i < metadata->topics[0].partition_cnt; i++) {
        int partition = metadata->topics[0].partitions[i].id;
        rd_kafka_topic_partition_list_add(list, topic, partition)->offset = RD_KAFKA_OFFSET_BEGINNING;
    }
    error = rd_kafka_assign(client, list);
    if (error) fail("assign", rd_kafka_err2str(error));
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_destroy(handle);
}

int consume(const char *brokers, const char *topic, long records) {
    char why[512];
    rd_kafka_conf_t *settings = rd_kafka_conf_new();
    const char *pairs[][2] = {{"bootstrap.servers", brokers},
                              {"group.id", "plain-clients"},
                              {"enable.auto.commit", "false"}};
    for (int i = 0; i < 3; i++)
        if (rd_kafka_conf_set(settings, pairs[i][0], pairs[i][1], why, sizeof why))
            fail(pairs[i][0], why);
    rd_kafka_t *client = rd_kafka_new(RD_KAFKA_CONSUMER, settings, why, sizeof why);
    if (!client) fail("librdkafka", why);
    assign_all(client, topic);
    rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(client);

    struct steady steady = {.wanted = records};
    rd_kafka_message_t *messages[batch];
    for (long count = 0; count < records;) {
        ssize_t taken = rd_kafka_consume_batch_queue(queue, 1000, messages, batch);
        if (taken < 0) fail("consume", "no batch");
        for (ssize_t i = 0; i < taken; i++) {
            if (messages[i]->err == RD_KAFKA_RESP_ERR_NO_ERROR) count++;
            rd_kafka_message_destroy(messages[i]);
        }
        steady_note(&steady, count);
    }
    steady_print(&steady);
    rd_kafka_queue_destroy(queue);
    rd_kafka_consumer_close(client);
    rd_kafka_destroy(client);
    return 0;
}
