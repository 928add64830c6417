/// Keys and tokens that PyJWT has made, on a day whose 1,200th second is now.
enum JWTVectors {
    /// That of RSA.
    static let rsaKey =
        #"{"kty": "RSA", "kid": "rsa", "use": "sig", "n": "wjgdLPyxHuE-M8Hpfp6AYfjLZDOfeae6HWSgezLNKIVJee9pewC58o1qPuBmKr8HMRYMfnWOVMrRGNUblh13mBQknyHZjJEiz7Ou-hc5Ao1_Fa10Y0rDwcznD8quzLsAcKZKewstdp9DDj5LFvCSKgdoCwhpQNkIF0qCmnehAl6JG-X7P87jgcWHBtID0y0jsba6-IuO6UML-Thx1ZDoBSCzkMCqw2s4acvXzFO4l1VQRk8gs3QMl86ydFnY7pPliL1Z6AeM1jZzXkxv0V1AHr_QCXDsIMQRP570o8P-JAEmO--knUC0DmheYVczwbs9ZLOftsbXxMC4wG89VjhUkQ", "e": "AQAB"}"#
    /// That of EC.
    static let ecKey =
        #"{"kty": "EC", "kid": "ec", "crv": "P-256", "x": "NCifQzB0hqaNxLmW_F3_SjuDC2LuQoqkKbasyBAQ5Is", "y": "fhygOKXLhqlUmxxNAQ8zo-oHr91D8o0zmObF56gkCL8"}"#
    /// That of OKP.
    static let edKey =
        #"{"kty": "OKP", "kid": "ed", "crv": "Ed25519", "alg": "EdDSA", "x": "j_oCecKsK5jVVkjmOa3xuoKknCCI0cHPuFG6hGbZchM"}"#
    /// Of 1024 bits.
    static let weakKey =
        #"{"kty": "RSA", "kid": "weak", "n": "wvJz2xj5g4P_H5qWqVCw6iGO1tF0J46SbxR9FNc1tJa6Wyn8A3ZkqKsVMneHuIIfgXHMSyvSwsNsut2GgeXK3kBMPQIguohdDmQEN8nNdvbZS2HafSQDFojfKJYl_woKBidDdQz8WcRLEx0L8nAbczmKhNYqTUeILv9gIfh88L0", "e": "AQAB"}"#

    /// Let `ada` in.
    static let good = [
        "rs256":
            "eyJhbGciOiJSUzI1NiIsImtpZCI6InJzYSIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOiJwZW5zdG9jayIsInN1YiI6ImFkYSIsInJvbGUiOiJyZXF1ZXN0ZXIiLCJleHAiOjIwMDB9.pTzftE6bHn4YzIYZqXCvMqhLQBQMyjvmLMaDsN-Q8qUWi29y8-aQ5NLBvOK2hWj9J-40WNz6m4dgWQ1SXJYLIPirEceBmYpEpXyHYoY90bHdnpYshA2ngVEkbKE9G1LEkQ9MKttmKbBC91guua8SwJkVLZAJEYMcgeisNTt-J3eatgVdQWGKgPIbEqIqiohkPM0ncDv0DAbx-09HeJBipjPvdBneRXr7G3qWAvHozHIv3fDdz1b-aVOHDBEPjNlGC5vTvOIDzjDOt5x_rfOnmk4wtgazuu0MmdYp95gItHAD5g-Fxb2ouorDsJcdu41Kr2NxVdM_lWVcGPNTr_cmlg",
        "es256":
            "eyJhbGciOiJFUzI1NiIsImtpZCI6ImVjIiwidHlwIjoiSldUIn0.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOiJwZW5zdG9jayIsInN1YiI6ImFkYSIsInJvbGUiOiJyZXF1ZXN0ZXIiLCJleHAiOjIwMDB9.yvIpAMTL7OSwwdHYU3lpqMqKRSv4gvGiNXzXVMMUgVnmpX3FkPV45r3tXJjgV6Qyo7BgIh9jWvRRlO1mECcRJw",
        "edDSA":
            "eyJhbGciOiJFZERTQSIsImtpZCI6ImVkIiwidHlwIjoiSldUIn0.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOiJwZW5zdG9jayIsInN1YiI6ImFkYSIsInJvbGUiOiJyZXF1ZXN0ZXIiLCJleHAiOjIwMDB9.L_iWndr1yfmQxyiEot61jnv7T9uMXKo9xHJ90w7LUE4ash1I_tqqD5vz5VztFpXYhXQ-4MlMJmL5VkZd92plCg",
        "list":
            "eyJhbGciOiJFZERTQSIsImtpZCI6ImVkIiwidHlwIjoiSldUIn0.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOlsieCIsInBlbnN0b2NrIl0sInN1YiI6ImFkYSIsInJvbGUiOlsic3RhZmYiLCJyZWFkZXIiXSwiZXhwIjoyMDAwLjc1LCJuYmYiOjEwMDB9.U5UwwSJa0IFtXDObmqyNwlBAxDEBxUINlT3hg83bnQqIJUsttjSJNxqkRkZIulqjkoaFvoI9v8xvx7vGtl98Bg",
    ]

    /// Let nobody in.
    static let bad = [
        "no exp":
            "eyJhbGciOiJFZERTQSIsImtpZCI6ImVkIiwidHlwIjoiSldUIn0.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOiJwZW5zdG9jayIsInN1YiI6ImFkYSIsInJvbGUiOiJyZXF1ZXN0ZXIifQ.hARLLztHyJ7S8uCCmUCCQ8KqRp6yXIdVpPwDh2DQu86xMpsoxXkTdt8k8ucKZR2tXCh1o5bXmlBN6zgEMfFwAw",
        "exp as text":
            "eyJhbGciOiJFZERTQSIsImtpZCI6ImVkIn0.eyJpc3MiOiAiaHR0cHM6Ly9pZC5leGFtcGxlIiwgImF1ZCI6ICJwZW5zdG9jayIsICJzdWIiOiAiYWRhIiwgInJvbGUiOiAicmVxdWVzdGVyIiwgImV4cCI6ICIyMDAwIn0.caC63JccIauXZKVtYzCn9afx_B85Tax0cpMqgK8tPDWzK4FGokaB-RjrO7t2DNJAhhjqsbvzazKEp8YNFUpKDA",
        "exp beyond all":
            "eyJhbGciOiJFZERTQSIsImtpZCI6ImVkIn0.eyJpc3MiOiAiaHR0cHM6Ly9pZC5leGFtcGxlIiwgImF1ZCI6ICJwZW5zdG9jayIsICJzdWIiOiAiYWRhIiwgInJvbGUiOiAicmVxdWVzdGVyIiwgImV4cCI6IDFlNDAwfQ.TQ_8RVvLaaNXElPeh0pEBltWdSRIID52KwTbh-roTszTZSN5F4WeL_V3WAxFCeZfM7AN0wtPEA0FxdK28q31Cg",
        "expired":
            "eyJhbGciOiJFZERTQSIsImtpZCI6ImVkIiwidHlwIjoiSldUIn0.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOiJwZW5zdG9jayIsInN1YiI6ImFkYSIsInJvbGUiOiJyZXF1ZXN0ZXIiLCJleHAiOjExNjl9.nbU8pDy-nBPI1fq4e6_XVefAXY7DBRHMIlphGVfulwLkMcNnizidZ_Av46_cwQe3JxDmzqlocUqiW_ceibF9BQ",
        "not yet good":
            "eyJhbGciOiJFZERTQSIsImtpZCI6ImVkIiwidHlwIjoiSldUIn0.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOiJwZW5zdG9jayIsInN1YiI6ImFkYSIsInJvbGUiOiJyZXF1ZXN0ZXIiLCJleHAiOjIwMDAsIm5iZiI6MTIzMX0.wM9DWor9oTrqm1GZ-VrtGt19bo18bqFV8sjGldwS3KkuzRd-DMVJy6jKbubtv7QvRVNCvSHvVBVjKG9HHAa7Cw",
        "nbf as text":
            "eyJhbGciOiJFZERTQSIsImtpZCI6ImVkIn0.eyJpc3MiOiAiaHR0cHM6Ly9pZC5leGFtcGxlIiwgImF1ZCI6ICJwZW5zdG9jayIsICJzdWIiOiAiYWRhIiwgInJvbGUiOiAicmVxdWVzdGVyIiwgImV4cCI6IDIwMDAsICJuYmYiOiAieCJ9.rNy6HkOYJIXezbXurn_9cgOeg5xkAsfus5R1h1EMqnWTrG2X043M5AX2EduNaJHjtdC3hj-xRdZNOQAVqseIDw",
        "other audience":
            "eyJhbGciOiJFZERTQSIsImtpZCI6ImVkIiwidHlwIjoiSldUIn0.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOiJvdGhlciIsInN1YiI6ImFkYSIsInJvbGUiOiJyZXF1ZXN0ZXIiLCJleHAiOjIwMDB9.3LMiYqV9a3rKa6O7pChiNTikAtCnezZwqK2WcqnEZOpWSpf67tYse56y9Fen0BLwf0djZs8imuT6ArsYZ1GGBQ",
        "no audience":
            "eyJhbGciOiJFZERTQSIsImtpZCI6ImVkIiwidHlwIjoiSldUIn0.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJzdWIiOiJhZGEiLCJyb2xlIjoicmVxdWVzdGVyIiwiZXhwIjoyMDAwfQ.yFRFw5xtb1rCuP8itiFoXwKJb4fiYUfJbbP8ymshgWSUTa7qROIR5CUnfCU0N-7jNSTnZFnQje4sTGnJKgvcDA",
        "audience in pieces":
            "eyJhbGciOiJFZERTQSIsImtpZCI6ImVkIiwidHlwIjoiSldUIn0.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOlsicGVuIiwic3RvY2siXSwic3ViIjoiYWRhIiwicm9sZSI6InJlcXVlc3RlciIsImV4cCI6MjAwMH0.oEF0KO328vpvjlFb_Ow-8_KVzcpK_TkJNIIwM9HJ3luCIPbET-6RFGqFGrE-qKr7huiHSaE6JiiuxCMwLPaSCg",
        "other issuer":
            "eyJhbGciOiJFZERTQSIsImtpZCI6ImVkIiwidHlwIjoiSldUIn0.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUvIiwiYXVkIjoicGVuc3RvY2siLCJzdWIiOiJhZGEiLCJyb2xlIjoicmVxdWVzdGVyIiwiZXhwIjoyMDAwfQ.7RS5SxoNJTAspDkQvT4tZUpPPZHkOgPl28m-o-P3QUYHxCI6PA2BgvZ6t6we2HTecrbsxfhS2OKQA17EgyZFAw",
        "no issuer":
            "eyJhbGciOiJFZERTQSIsImtpZCI6ImVkIiwidHlwIjoiSldUIn0.eyJhdWQiOiJwZW5zdG9jayIsInN1YiI6ImFkYSIsInJvbGUiOiJyZXF1ZXN0ZXIiLCJleHAiOjIwMDB9.CfVrv21IL3qGQ6fnizO2akiyUZi9Zecrl1lEN5tXaNPDgljTCFqPzdQoKGKjrxyaI4Xejw-hMt4lyLAtQuHHDg",
        "no subject":
            "eyJhbGciOiJFZERTQSIsImtpZCI6ImVkIiwidHlwIjoiSldUIn0.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOiJwZW5zdG9jayIsInJvbGUiOiJyZXF1ZXN0ZXIiLCJleHAiOjIwMDB9.gMsaUcPQcgBRCBsWs3GsWq8XOKuKKJkDQzBBq5Mm2kXqqIgMKMNSDGx8k-TXYGzHKdiafoH-92K7hFa4pr-ABg",
        "empty subject":
            "eyJhbGciOiJFZERTQSIsImtpZCI6ImVkIiwidHlwIjoiSldUIn0.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOiJwZW5zdG9jayIsInN1YiI6IiIsInJvbGUiOiJyZXF1ZXN0ZXIiLCJleHAiOjIwMDB9.asKhsxiFnDjTtfDsXGUuM0yA_7_2arR-2r9zmQCUkUrhCTrFd04wmkyDI0R8Yt8rVWsfYp_6knoiqWZce0ZxAA",
        "no role":
            "eyJhbGciOiJFZERTQSIsImtpZCI6ImVkIiwidHlwIjoiSldUIn0.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOiJwZW5zdG9jayIsInN1YiI6ImFkYSIsImV4cCI6MjAwMH0.f3DIkPtPNJRZNA1LaSamKWF_VsgAOQEMeEoKwS0C_0u1ih6cwzBZRtJCzzLxBXqLX_aQ4v9-H24XCzfZshrlDA",
        "unknown role":
            "eyJhbGciOiJFZERTQSIsImtpZCI6ImVkIiwidHlwIjoiSldUIn0.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOiJwZW5zdG9jayIsInN1YiI6ImFkYSIsInJvbGUiOiJSZXF1ZXN0ZXIiLCJleHAiOjIwMDB9.t6f43Kyk17aElBODf_gswBXU9hRvcxuzMq9Odbtj432Mj9crRSmNH5Ein1lxQ_cDjZa3F2D8axrwMqL-NN08BQ",
        "two roles":
            "eyJhbGciOiJFZERTQSIsImtpZCI6ImVkIiwidHlwIjoiSldUIn0.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOiJwZW5zdG9jayIsInN1YiI6ImFkYSIsInJvbGUiOlsiYWRtaW4iLCJyZWFkZXIiXSwiZXhwIjoyMDAwfQ.sYo_UYjYJhLf5mgOLutu617pOUXFboMn40Kl6nF63_bVE0lXdPP-mrdMIVcxKHtUnug7ZJ960WCxO_S46he3Ag",
        "unknown kid":
            "eyJhbGciOiJFZERTQSIsImtpZCI6Im5vYm9keSIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOiJwZW5zdG9jayIsInN1YiI6ImFkYSIsInJvbGUiOiJyZXF1ZXN0ZXIiLCJleHAiOjIwMDB9.UCtdAy7u31duvore0RbsqpM_3yHKc5U4X7qRXUJFplQ4Baub9LZ0FsL00DGksd3Y1x19sMnLuBK1yr2D65WXBQ",
        "no kid":
            "eyJhbGciOiJFZERTQSIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOiJwZW5zdG9jayIsInN1YiI6ImFkYSIsInJvbGUiOiJyZXF1ZXN0ZXIiLCJleHAiOjIwMDB9.vbWAADpHL0WCHcoaEg7VlYlW5buEIJVDiIaly3BQvLSh_fZSO2gDSfnLlUxme5HYDyUdT7KR52VbATOEIFaCBQ",
        "another's key":
            "eyJhbGciOiJFZERTQSIsImtpZCI6ImVkIiwidHlwIjoiSldUIn0.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOiJwZW5zdG9jayIsInN1YiI6ImFkYSIsInJvbGUiOiJyZXF1ZXN0ZXIiLCJleHAiOjIwMDB9.X9IukqkCiJIP6m1ruooSMNFxL1XjcYCVZ0zrTETr8-k7JQMzKDBqBFU8tLAc_DgrFjI_Ai3Mshy27nWgl2Y8Aw",
        "crit":
            "eyJhbGciOiJFZERTQSIsImNyaXQiOlsiYjY0Il0sImtpZCI6ImVkIiwidHlwIjoiSldUIn0.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOiJwZW5zdG9jayIsInN1YiI6ImFkYSIsInJvbGUiOiJyZXF1ZXN0ZXIiLCJleHAiOjIwMDB9.fmCT-AhPJj3yNRa48GSwkbw35IM4CDkyh-7sc6HEIw3A7YypZvJsZ0XqXc83bExqHXsFuNCrrBWD0eqN8xmzDw",
        "claims twice":
            "eyJhbGciOiJFZERTQSIsImtpZCI6ImVkIn0.eyJzdWIiOiJhZGEiLCJzdWIiOiJyb290IiwiaXNzIjogImh0dHBzOi8vaWQuZXhhbXBsZSIsICJhdWQiOiAicGVuc3RvY2siLCAicm9sZSI6ICJyZXF1ZXN0ZXIiLCAiZXhwIjogMjAwMH0.nbatrM4U67oWA7L6RqhEuhzS8EQb4OMXdzN7IHs2knSb0LcRnlBLAu6fFrNiZF8DN4c7Mg74j8-hOIxgDQVFDA",
        "claims are a list":
            "eyJhbGciOiJFZERTQSIsImtpZCI6ImVkIn0.W10.5ESXBr9E8-dpwdOKzbEVbv_6F7C-61aIREPZwVk5_haO0p29_bD2ovDfw1zgRewzAaUOsaF0zqfzZ7a3siVLCQ",
        "header twice":
            "eyJhbGciOiJub25lIiwiYWxnIjoiRWREU0EiLCJraWQiOiJlZCJ9.eyJpc3MiOiAiaHR0cHM6Ly9pZC5leGFtcGxlIiwgImF1ZCI6ICJwZW5zdG9jayIsICJzdWIiOiAiYWRhIiwgInJvbGUiOiAicmVxdWVzdGVyIiwgImV4cCI6IDIwMDB9.kCeWi7St_BOyrTl17Bl7ITnWLJEfWRel_OTmRKd2Cz-O9BtPwrg_S6Ug5U1efM_yVLBjonZE3fCQSF_uFIT4BA",
        "algorithm none":
            "eyJhbGciOiJub25lIiwia2lkIjoiZWQifQ.eyJpc3MiOiAiaHR0cHM6Ly9pZC5leGFtcGxlIiwgImF1ZCI6ICJwZW5zdG9jayIsICJzdWIiOiAiYWRhIiwgInJvbGUiOiAicmVxdWVzdGVyIiwgImV4cCI6IDIwMDB9.",
        "algorithm none, signed":
            "eyJhbGciOiJub25lIiwia2lkIjoiZWQifQ.eyJpc3MiOiAiaHR0cHM6Ly9pZC5leGFtcGxlIiwgImF1ZCI6ICJwZW5zdG9jayIsICJzdWIiOiAiYWRhIiwgInJvbGUiOiAicmVxdWVzdGVyIiwgImV4cCI6IDIwMDB9.ZeHiXTHahhZ6ElDm-MgeNxWdHRAVpLi1GGEyL7xRDW7oCb_MT2hVG3nME33hyWiJS-eBUduxXky-P5ZfPTF8CA",
        "no algorithm":
            "eyJraWQiOiJlZCJ9.eyJpc3MiOiAiaHR0cHM6Ly9pZC5leGFtcGxlIiwgImF1ZCI6ICJwZW5zdG9jayIsICJzdWIiOiAiYWRhIiwgInJvbGUiOiAicmVxdWVzdGVyIiwgImV4cCI6IDIwMDB9.dyDAyLhOA3SnJEN37EXmds2GGNFGOjfn4AtaAlxEXsptrfSsuGZzHgi6Bysvib5hgEjVy18r7MDgT4F25sD9Cg",
        "algorithm in lower case":
            "eyJhbGciOiJlZGRzYSIsImtpZCI6ImVkIn0.eyJpc3MiOiAiaHR0cHM6Ly9pZC5leGFtcGxlIiwgImF1ZCI6ICJwZW5zdG9jayIsICJzdWIiOiAiYWRhIiwgInJvbGUiOiAicmVxdWVzdGVyIiwgImV4cCI6IDIwMDB9.ZKRfUClRUI_GPNnbF-hZQsWAJmLb3RsVAIemT6fnnSlBprPGf3rIGC6-D50bnK1UL7w4dY8ZJIIwCkGZv3EuAg",
        "HS256 by the public key":
            "eyJhbGciOiAiSFMyNTYiLCAia2lkIjogInJzYSJ9.eyJpc3MiOiAiaHR0cHM6Ly9pZC5leGFtcGxlIiwgImF1ZCI6ICJwZW5zdG9jayIsICJzdWIiOiAiYWRhIiwgInJvbGUiOiAicmVxdWVzdGVyIiwgImV4cCI6IDIwMDB9.ylep3t8Obb8lCwe24mTkmL6pbFtzTTTaafAvMHvPhUQ",
        "HS256 by the key's bytes":
            "eyJhbGciOiAiSFMyNTYiLCAia2lkIjogImVkIn0.eyJpc3MiOiAiaHR0cHM6Ly9pZC5leGFtcGxlIiwgImF1ZCI6ICJwZW5zdG9jayIsICJzdWIiOiAiYWRhIiwgInJvbGUiOiAicmVxdWVzdGVyIiwgImV4cCI6IDIwMDB9.Ax_eQBXcdVxHJZQpR0hzILnnyfNmOWesVmBClpmOgmc",
        "HS256 called RS256":
            "eyJhbGciOiAiUlMyNTYiLCAia2lkIjogInJzYSJ9.eyJpc3MiOiAiaHR0cHM6Ly9pZC5leGFtcGxlIiwgImF1ZCI6ICJwZW5zdG9jayIsICJzdWIiOiAiYWRhIiwgInJvbGUiOiAicmVxdWVzdGVyIiwgImV4cCI6IDIwMDB9.XmJkTMNBy8C4ET1H3EWKry4LGoJBt8oOqWy0X7v6UOI",
        "RS256 by another kind of key":
            "eyJhbGciOiJSUzI1NiIsImtpZCI6ImVjIiwidHlwIjoiSldUIn0.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOiJwZW5zdG9jayIsInN1YiI6ImFkYSIsInJvbGUiOiJyZXF1ZXN0ZXIiLCJleHAiOjIwMDB9.deMPN-P7fyuwjNrVaQS4sfF7-tFsPGMmf3wGXnNya6J9--Ff6bPHewpfjNJCD6C2VQt79lmpCIga9S_W0ti-90KrTIfq_NMBRZOhbPHnkPuEG5E-WB72z3She1kXzR6SzuXC5L-zWFesmXkO30JBRRG-j__vVRnQd-IrQuVMdMVm4zv2PGUTYBReANiAKJTUF-n4ZOS3cVULxXj6iTf_-Ebf4IUJ9Ilhq_nTicUOtKACsIhB88JfQ4OvfX1WDAFHVaVvjP9l-9ZehjDqOZTpk5gLxMTjkDOsxceShwvB4lzCLEEIE0Xhy3in74Ml_bZjrgZ9XHvchQVqzxMcUOOURA",
        "ES256 by another kind of key":
            "eyJhbGciOiJFUzI1NiIsImtpZCI6InJzYSIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOiJwZW5zdG9jayIsInN1YiI6ImFkYSIsInJvbGUiOiJyZXF1ZXN0ZXIiLCJleHAiOjIwMDB9.EY5yZY8w4GmqTOe2vfH_7N0ZSSllzJnHox-jYk1-x7uVE8b1RTs8igHIqMS30nIMyP1vYpkWXkG6tsd5RdlRzA",
        "EdDSA by another kind of key":
            "eyJhbGciOiJFZERTQSIsImtpZCI6InJzYSIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOiJwZW5zdG9jayIsInN1YiI6ImFkYSIsInJvbGUiOiJyZXF1ZXN0ZXIiLCJleHAiOjIwMDB9.R2dMKcbr29hICAGIKbu-44kZqjk4p_CgGQqQF87SSdtHHakGuTQo-ZUILOv3WVqAqbkjuHCWibluu_r0ckI2Dg",
        "ES256 in DER":
            "eyJhbGciOiJFUzI1NiIsImtpZCI6ImVjIn0.eyJpc3MiOiAiaHR0cHM6Ly9pZC5leGFtcGxlIiwgImF1ZCI6ICJwZW5zdG9jayIsICJzdWIiOiAiYWRhIiwgInJvbGUiOiAicmVxdWVzdGVyIiwgImV4cCI6IDIwMDB9.MEUCIC2BOr37gEATyEQbMZ2w7FQi67o-2UHx_zxaU4CdnPjPAiEAoqG2hC9MVraLenDTdAPoqDWiBUzjHeSxZDnNmIgFVpw",
        "ES256 of zeros":
            "eyJhbGciOiJFUzI1NiIsImtpZCI6ImVjIn0.eyJpc3MiOiAiaHR0cHM6Ly9pZC5leGFtcGxlIiwgImF1ZCI6ICJwZW5zdG9jayIsICJzdWIiOiAiYWRhIiwgInJvbGUiOiAicmVxdWVzdGVyIiwgImV4cCI6IDIwMDB9.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "ES256 without a signature":
            "eyJhbGciOiJFUzI1NiIsImtpZCI6ImVjIn0.eyJpc3MiOiAiaHR0cHM6Ly9pZC5leGFtcGxlIiwgImF1ZCI6ICJwZW5zdG9jayIsICJzdWIiOiAiYWRhIiwgInJvbGUiOiAicmVxdWVzdGVyIiwgImV4cCI6IDIwMDB9.",
        "PS256":
            "eyJhbGciOiJQUzI1NiIsImtpZCI6InJzYSIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOiJwZW5zdG9jayIsInN1YiI6ImFkYSIsInJvbGUiOiJyZXF1ZXN0ZXIiLCJleHAiOjIwMDB9.UaJCqrqVGhIz7DC7ak3Gt9mBKIGS86KoLvFqyA9J7U-o6tC1RmHMVup4eKxtpdwjjrKZ4A3feTIsHwfA6GQkECwFPqmsHdEynF1Ycq9cPfCGvwI7MpPSfAphqPtVfPnmz4A6T9mF4wjLE0yKFNtFvlYw_7utweuP14j5qrmBuCcbowyJzaoN8lUEuN3oRsurgJ7zwHMCYNs9Qzond7or5wdBBSIe-P99o22XNjFCRnlmLjmgK9jebGcSxxDrpXkUaq3_MshvjTX8HIkew8gY0EwP5G0-w7YBEyUGu8M2D3IdrlLKNofTErOnmJM-uHcsObkpEFkl0ZRqq58uTkuOYQ",
        "RS512":
            "eyJhbGciOiJSUzUxMiIsImtpZCI6InJzYSIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOiJwZW5zdG9jayIsInN1YiI6ImFkYSIsInJvbGUiOiJyZXF1ZXN0ZXIiLCJleHAiOjIwMDB9.kTY5KjTb1DKnuYqllb4erRJWud2q1gLRHI8DD01_jC_oFRzPWajmGjq1Xsn_IEa-qzY96GwlOMnyZdoiMbHgccpu3Akbi3AGu_vUt2E-9lcyz-jVkcpNDZcg4UMV5eW3799yggTqXHRrd4L1AA_jUeoIejLPf9zWQEVTIDtCYICD6e8O2FYyB_eMzCVvfL3qgdg8m7EHegCxFMSUC9pZ7njNrfQfNYwvQc620pdYUuUjVf0nulrFtusucRtzRT_9ac1X_vvAOu9HnzxGeeQ8c7Ip_zrBSyehYvMQub_fdbgPwhNL2-OWFWS7B7MiIhyBtflhn3z-KOjLdgFjofT-EQ",
        "embedded key":
            "eyJhbGciOiJFZERTQSIsImp3ayI6eyJjcnYiOiJFZDI1NTE5Iiwia3R5IjoiT0tQIiwieCI6InVJVjc2RXVNLW01MUFzdmhzUGJMXzJjdTM4cWN2RUphbXNFSk44S3p3azgifSwia2lkIjoiZWQiLCJ0eXAiOiJKV1QifQ.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOiJwZW5zdG9jayIsInN1YiI6ImFkYSIsInJvbGUiOiJyZXF1ZXN0ZXIiLCJleHAiOjIwMDB9.7jvGNplTxTdTiRU5QH2mt7BH6s9rAoc0FiSJ9VXUclb6gH8TFFPzFqasXceKMvRsiUwgNExSzVXUb6qFFsDVBA",
        "jku":
            "eyJhbGciOiJFZERTQSIsImprdSI6Imh0dHBzOi8vZXZpbC5leGFtcGxlL2p3a3MiLCJraWQiOiJub2JvZHkiLCJ0eXAiOiJKV1QifQ.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOiJwZW5zdG9jayIsInN1YiI6ImFkYSIsInJvbGUiOiJyZXF1ZXN0ZXIiLCJleHAiOjIwMDB9.25ksbIvxDemaR85Ro49GmVZxQ08wWrUbEMaDJuMZVammCAl0jVyT4SKWqUmEumGju0-xMHyuzumHsGUabYLqAA",
    ]
}
