/* Signatures and hashes: the published vectors, and every forgery that needs no more than a signature. */
#include "mesh/sign.h"
#include "tests/unit/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint8_t key[KEY_SIZE], signature[SIGNATURE_SIZE];
static struct secret_key secret;
static const char message[] = "the primary is gone";

static void keypair(uint8_t first)
{
    uint8_t seed[32] = {first};
    sign_keypair(key, &secret, seed);
}

static void setup(void)
{
    keypair(1);
    sign_make(signature, &secret, message, sizeof message);
}

START_TEST(rfc_8032_vectors)
{
    static const struct {
        const char *name, *seed, *key, *message, *signature;
    } rows[] = {
        {"test 1", "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
         "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
         "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595b"
         "be24655141438e7a100b"},
        {"test 2", "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
         "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
         "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb430"
         "2aeeb00d291612bb0c00"},
        {"test 3", "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
         "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
         "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716e"
         "d28dc027beceea1ec40a"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t seed[32], expected_key[KEY_SIZE], expected[SIGNATURE_SIZE], text[8];
        unhex(seed, rows[i].seed);
        unhex(expected_key, rows[i].key);
        unhex(expected, rows[i].signature);
        size_t n = unhex(text, rows[i].message);
        sign_keypair(key, &secret, seed);
        ck_assert_msg(memcmp(key, expected_key, sizeof key) == 0, "%s: key", rows[i].name);
        sign_make(signature, &secret, text, n);
        ck_assert_msg(memcmp(signature, expected, sizeof signature) == 0, "%s: signature", rows[i].name);
        ck_assert_msg(sign_holds(signature, key, text, n), "%s: refused", rows[i].name);
    }
}
END_TEST

START_TEST(blake2b_vectors)
{
    static const struct {
        const char *text, *hash;
    } rows[] = {
        {"", "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8"},
        {"abc", "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t hash[HASH_SIZE], expected[HASH_SIZE];
        unhex(expected, rows[i].hash);
        sign_hash(hash, rows[i].text, strlen(rows[i].text));
        ck_assert_mem_eq(hash, expected, sizeof hash);
    }
}
END_TEST

START_TEST(signing_takes_no_randomness)
{
    uint8_t twice[SIGNATURE_SIZE];
    sign_make(twice, &secret, message, sizeof message);
    ck_assert_mem_eq(signature, twice, sizeof twice);
}
END_TEST

START_TEST(every_bit_of_the_message_counts)
{
    char changed[sizeof message];
    memcpy(changed, message, sizeof changed);
    for (size_t i = 0; i < 8 * sizeof changed; i++) {
        changed[i / 8] ^= (char)(1 << i % 8);
        ck_assert_msg(!sign_holds(signature, key, changed, sizeof changed), "bit %zu", i);
        changed[i / 8] ^= (char)(1 << i % 8);
    }
    ck_assert(sign_holds(signature, key, changed, sizeof changed));
    ck_assert(!sign_holds(signature, key, changed, sizeof changed - 1));
}
END_TEST

START_TEST(every_bit_of_the_signature_counts)
{
    for (size_t i = 0; i < 8 * sizeof signature; i++) {
        signature[i / 8] ^= (uint8_t)(1u << i % 8);
        ck_assert_msg(!sign_holds(signature, key, message, sizeof message), "bit %zu", i);
        signature[i / 8] ^= (uint8_t)(1u << i % 8);
    }
}
END_TEST

START_TEST(every_bit_of_the_key_counts)
{
    for (size_t i = 0; i < 8 * sizeof key; i++) {
        key[i / 8] ^= (uint8_t)(1u << i % 8);
        ck_assert_msg(!sign_holds(signature, key, message, sizeof message), "bit %zu", i);
        key[i / 8] ^= (uint8_t)(1u << i % 8);
    }
}
END_TEST

START_TEST(key_of_another)
{
    keypair(2);
    ck_assert(!sign_holds(signature, key, message, sizeof message));
}
END_TEST

START_TEST(signature_of_zeros)
{
    memset(signature, 0, sizeof signature);
    ck_assert(!sign_holds(signature, key, message, sizeof message));
    memset(key, 0, sizeof key);
    ck_assert(!sign_holds(signature, key, message, sizeof message));
}
END_TEST

/* With a key of small order, some signatures hold over any message: S = 0 and R = the neutral element for one, and with
 * another R for one message in eight. */
START_TEST(small_order_keys)
{
    static const struct {
        const char *name, *key;
    } rows[] = {
        {"0 (order 4)", "0000000000000000000000000000000000000000000000000000000000000000"},
        {"1 (order 1)", "0100000000000000000000000000000000000000000000000000000000000000"},
        {"order 8", "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"},
        {"order 8, the other", "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"},
        {"p - 1 (order 2)", "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"},
        {"p, which is 0", "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"},
        {"p + 1, which is 1", "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"},
        {"0 with its sign", "0000000000000000000000000000000000000000000000000000000000000080"},
        {"1 with its sign", "0100000000000000000000000000000000000000000000000000000000000080"},
        {"order 8 with its sign", "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        unhex(key, rows[i].key);
        for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
            memset(signature, 0, sizeof signature);
            unhex(signature, rows[r].key);
            for (char m = 0; m < 16; m++)
                ck_assert_msg(!sign_holds(signature, key, &m, 1), "key %s, R %s", rows[i].name, rows[r].name);
        }
    }
}
END_TEST

/* S and S + L (the group's order) satisfy the same equation; only S < L may be taken, or signatures are malleable. */
START_TEST(non_canonical_s)
{
    static const uint8_t order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,       0xd6,
                                      0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, [31] = 0x10};
    for (int times = 1; times <= 8; times++) {
        unsigned carry = 0;
        for (int i = 0; i < 32; i++) {
            carry += signature[32 + i] + order[i];
            signature[32 + i] = (uint8_t)carry;
            carry >>= 8;
        }
        ck_assert_msg(!sign_holds(signature, key, message, sizeof message), "S + %d L", times);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("sign");
    TCase *t = suite_case(s, "sign");
    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_test(t, rfc_8032_vectors);
    tcase_add_test(t, blake2b_vectors);
    tcase_add_test(t, signing_takes_no_randomness);
    tcase_add_test(t, every_bit_of_the_message_counts);
    tcase_add_test(t, every_bit_of_the_signature_counts);
    tcase_add_test(t, every_bit_of_the_key_counts);
    tcase_add_test(t, key_of_another);
    tcase_add_test(t, signature_of_zeros);
    tcase_add_test(t, small_order_keys);
    tcase_add_test(t, non_canonical_s);
    return suite_run(s);
}
